"""One TCP connection: bytes in and out of a blocking socket, within one absolute deadline."""
import select
import socket

from dul.compat import (
    CLOSED_BY_PEER, INTERRUPTED, KERNEL_TIMEOUTS, NOT_NOW, SHUTDOWN_WAKES, monotonic, set_timeout)
from dul.errors import ConnectionLost

LONGEST_WAIT = 86400.0      # seconds; a longer timeout is waited for in pieces, because kernels limit the number
CLOSE_ENOUGH = 0.001        # seconds by which a wait may end after its deadline
AT_ONCE = socket.MSG_DONTWAIT if KERNEL_TIMEOUTS else 0     # a flag of send(): where there is no room, it does not wait


class DeadlinePassed(Exception):
    """The deadline of a Transport passed before anything arrived."""


class Transport(object):
    """A connected socket with a deadline for receiving, and a limit, in seconds, for the sending of each PDU."""

    __slots__ = ("sock", "send_limit", "halted", "waiting", "interrupted", "deadline", "armed")

    def __init__(self, sock, send_limit, halted=None):
        self.sock = sock
        self.send_limit = min(send_limit, LONGEST_WAIT)
        self.halted = halted    # a socket that can be read when the server stops: Windows needs it
        self.waiting = self.interrupted = False     # in select(); interrupt() was called: Windows needs these, too
        self.deadline = None    # on the monotonic clock
        self.armed = None       # seconds that the next recv() waits at most, as the socket knows it
        try:
            if not KERNEL_TIMEOUTS or sock.gettimeout() is not None:    # as the listener, or by setdefaulttimeout()
                sock.setblocking(True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except socket.error:    # some systems refuse it where the peer is gone already; the first recv() raises then
            pass

    def set_deadline(self, seconds):
        """From now on, receiving ends after so many seconds; 0: never."""
        self.deadline = monotonic() + seconds if seconds else None

    def receive(self, most):
        """Bytes that have arrived, ``most`` at most. Raises DeadlinePassed, and ConnectionLost at the end."""
        early = False       # whether the last recv() ended, and the deadline had not passed
        while True:
            try:
                if self.deadline is not None or early or not SHUTDOWN_WAKES:
                    self.arm(early)
                data = self.sock.recv(most)
                if data:
                    return data
                raise _lost()
            except (socket.error, select.error, ValueError) as error:   # ValueError: closed meanwhile, on Python 2.7
                early = _waited(error)
                if not early and getattr(error, "errno", None) not in INTERRUPTED:
                    raise _lost(error)

    def arm(self, early):
        """See to it that the next recv() ends with the deadline. Raises DeadlinePassed."""
        left = None
        if self.deadline is not None:
            left = self.deadline - monotonic()
            if left <= 0:
                raise DeadlinePassed()
            left = min(left, LONGEST_WAIT)
        if not SHUTDOWN_WAKES:
            self.waiting = True
            ready = [self.halted] if self.interrupted else select.select([self.sock, self.halted], [], [], left)[0]
            self.waiting = False
            if self.sock not in ready:
                raise ConnectionLost("closed here") if ready else socket.timeout()
        elif early or self.armed is None or self.armed > left + CLOSE_ENOUGH:
            set_timeout(self.sock, left)    # no system call where the limit is right; one too short is mended when it
            self.armed = left               # has passed

    def acknowledge(self):
        """Acknowledge what has arrived at once, not some 40 ms later: a peer that writes a PDU in two pieces with
        Nagle's algorithm on, as DCMTK's clients do, sends the second one only then."""
        if hasattr(socket, "TCP_QUICKACK"):     # Linux
            try:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except (socket.error, ValueError):      # the connection is gone: the next recv() raises
                pass

    def send(self, data):
        """Send one PDU. Returns the ConnectionLost where the peer is gone, or has not taken all of it within the limit."""
        deadline, flags, lost = None, AT_ONCE, None     # mostly there is room for all of it, and no limit to be set
        while data and not lost:
            try:
                if not flags:
                    deadline = deadline or monotonic() + self.send_limit
                    self.arm_sending(deadline - monotonic())
                data = data[self.sock.send(data, flags):]
            except (socket.error, ValueError) as error:
                lost = self.unsent(error, flags)
            flags = 0
        return lost

    def arm_sending(self, left):
        """See to it that the next send() ends within so many seconds. Raises socket.timeout where none are left."""
        if left <= 0:
            raise socket.timeout()
        set_timeout(self.sock, left, sending=True)
        self.armed = self.armed if KERNEL_TIMEOUTS else left

    def unsent(self, error, flags):
        """The ConnectionLost for what send() of the socket raised; None where a signal interrupted it, or it did not wait."""
        if not flags and _waited(error):
            return ConnectionLost("the peer has not read what was sent to it for %s s" % self.send_limit)
        return None if getattr(error, "errno", None) in NOT_NOW + INTERRUPTED else _lost(error)

    def interrupt(self, sending=False):
        """Wake, from any thread, one that is receiving as if the stream had ended; also one that is ``sending``."""
        try:
            self.interrupted = True
            self.sock.shutdown(socket.SHUT_RDWR if sending else socket.SHUT_RD)
            if not SHUTDOWN_WAKES and (sending or self.waiting and not select.select([self.halted], [], [], 0)[0]):
                self.sock.close()       # nothing else ends that wait
        except (socket.error, ValueError):
            pass

    def close(self):
        """Close the connection; what was sent is still delivered (PS3.8 9.1.4: not an abortive close)."""
        try:
            self.sock.close()
        except (socket.error, ValueError):
            pass


def _waited(error):     # for its whole timeout; the ETIMEDOUT of a dead network is a socket.timeout, too, from Python 3.10
    code = getattr(error, "errno", None)
    return code in NOT_NOW or code is None and isinstance(error, socket.timeout)


def _lost(error=None):
    lost = ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error) if error else
                          "connection closed by the peer")
    lost.closed = error is None or getattr(error, "errno", None) in CLOSED_BY_PEER
    return lost
