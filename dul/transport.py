"""One TCP connection: bytes in and out of a blocking socket, within one absolute deadline."""
import socket

from dul.compat import (
    INTERRUPTED, KERNEL_TIMEOUTS, TIMED_OUT, monotonic, quick_acknowledge, set_receive_timeout, set_send_timeout)
from dul.errors import ConnectionLost, Expired

LONGEST_WAIT = 86400.0      # seconds; a longer timeout is waited for in pieces, because kernels do not take any number
SHORTEST_WAIT = 0.001


class Transport(object):
    """A socket with a clock.

    :param sock: a connected, blocking socket; it belongs to this object from now on
    :param send_limit: seconds that a peer which does not read may hold up one send
    """

    __slots__ = ("sock", "send_limit", "deadline", "armed")

    def __init__(self, sock, send_limit):
        self.sock = sock
        self.send_limit = send_limit
        self.deadline = None    # on the monotonic clock
        self.armed = None       # seconds that the next recv waits at most, as the socket knows it
        try:
            if sock.gettimeout() is not None:   # socket.setdefaulttimeout(): ours are the clocks here
                sock.setblocking(True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            set_send_timeout(sock, send_limit)
        except socket.error:    # some systems refuse it where the peer has gone already; the first recv finds that out
            pass

    def set_deadline(self, deadline):
        """From now on, receiving ends at this moment on the monotonic clock; None: never."""
        self.deadline = deadline
        if deadline is None:
            self._arm(None)

    def receive(self, most):
        """Bytes that have arrived, ``most`` at most; ``b""`` at the end of the stream.

        :raises Expired: at the deadline
        :raises ConnectionLost: where the connection is reset, or the network gone
        """
        while True:
            if self.deadline is not None:
                left = self.deadline - monotonic()
                if left <= 0:
                    raise Expired()
                self._arm(min(max(left, SHORTEST_WAIT), LONGEST_WAIT))
            try:
                return self.sock.recv(most)
            except socket.timeout:
                pass
            except (socket.error, ValueError) as error:     # ValueError: closed meanwhile, on Python 2.7
                code = getattr(error, "errno", None)
                if code not in TIMED_OUT and code not in INTERRUPTED:
                    raise ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error))

    def hurry(self):
        """Acknowledge at once what has arrived: half a PDU may be followed by the rest only then.

        A peer that writes a PDU in pieces, with Nagle's algorithm on, waits for that, and kernels take some 40 ms.
        """
        quick_acknowledge(self.sock)

    def send(self, data):
        """Send all of it.

        :raises ConnectionLost: where the peer is gone, or has not read for the send limit
        """
        if not KERNEL_TIMEOUTS:
            self.sock.settimeout(self.send_limit)
            self.armed = self.send_limit
        try:
            self.sock.sendall(data)
        except (socket.error, ValueError) as error:
            if isinstance(error, socket.timeout) or getattr(error, "errno", None) in TIMED_OUT:
                raise ConnectionLost("the peer has not read what was sent to it for %g s" % self.send_limit)
            raise ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error))

    def _arm(self, seconds):
        # A wait that is a little long is found out after it; only one that is too long by more needs a system call.
        if seconds is None or self.armed is None:
            if seconds is self.armed:
                return
        elif seconds <= self.armed <= seconds + SHORTEST_WAIT:
            return
        set_receive_timeout(self.sock, seconds)
        self.armed = seconds

    def interrupt(self):
        """Wake whoever is receiving, as if the stream had ended. May be called from any thread."""
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except (socket.error, ValueError):
            pass

    def close(self):
        """Close the connection; what was sent is still delivered (PS3.8 9.1.4: not an abortive close)."""
        try:
            self.sock.close()
        except (socket.error, ValueError):
            pass
