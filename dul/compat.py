"""The only tests of the Python version and of what the platform offers."""
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

PY2 = sys.version_info[0] == 2
WINDOWS = os.name == "nt"

# Where a script's syntax tree stays in memory until the script has ended, and threads can start after that. That was
# seen with these; 3.12.0 and 3.12.1 start none then.
KEEPS_SYNTAX_TREE = (getattr(getattr(sys, "implementation", None), "name", "") == "cpython"
                     and sys.version_info[:2] in ((3, 9), (3, 10), (3, 11), (3, 13)))
ONE_THREAD_AT_A_TIME = getattr(sys, "_is_gil_enabled", lambda: True)()     # not so in free-threaded builds

if PY2:
    import SocketServer as socketserver
else:
    import socketserver

# The clock of every deadline: seconds that never go back. Python 2.7 has no time.monotonic, but the elapsed time of
# os.times() counts from boot on POSIX (in steps of 10 ms), and time.clock() from its first call on Windows.
if hasattr(time, "monotonic"):
    monotonic = time.monotonic
elif WINDOWS:
    monotonic = time.clock
else:
    def monotonic():
        """Seconds since some fixed moment in the past."""
        return os.times()[4]

# Where struct timeval is two C longs, the kernel's own timeouts save a poll() before each recv() and send().
KERNEL_TIMEOUTS = sys.platform.startswith("linux") and struct.calcsize("l") == 8

INTERRUPTED = (errno.EINTR,)
TIMED_OUT = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ETIMEDOUT)
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def as_bytes(text):
    """The bytes of ASCII text; bytes stay what they are."""
    return text if isinstance(text, bytes) else text.encode("ascii")


def as_native(data):
    """The native string of bytes that are known to be ASCII."""
    return data if isinstance(data, str) else data.decode("ascii")


PLAIN = bytes(bytearray(code for code in range(0x20, 0x7F) if code != 0x5C))    # what is shown as it is


def escaped(data):
    """What a peer or a user wrote, fit for a log line and a terminal.

    Everything but printable ASCII comes out as ``\\xNN``, and a backslash doubled: nothing passes for an escape.

    :param data: bytes, or text (then escaped by code point)
    """
    if isinstance(data, bytes) and not data.translate(None, PLAIN):
        return as_native(data)
    codes = bytearray(data) if isinstance(data, bytes) else [ord(character) for character in data]
    return "".join([_escape(code) for code in codes])


def _escape(code):
    if code == 0x5C:
        return "\\\\"
    if 0x20 <= code < 0x7F:
        return chr(code)
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code


def set_receive_timeout(sock, seconds):
    """Bound each recv of a blocking socket; None for no bound. Without kernel timeouts it bounds each send too."""
    if KERNEL_TIMEOUTS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
    else:
        sock.settimeout(seconds)


def set_send_timeout(sock, seconds):
    """Bound each send of a blocking socket, where the kernel does that by itself."""
    if KERNEL_TIMEOUTS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))


def quick_acknowledge(sock):
    """Have the kernel acknowledge at once what has arrived, where it can be told to."""
    if hasattr(socket, "TCP_QUICKACK"):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except (socket.error, ValueError):      # the connection is gone: the next recv finds that out
            pass


def _timeval(seconds):
    if seconds is None:
        return struct.pack("ll", 0, 0)
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1000000) or 1)


def socket_pair():
    """Two connected sockets; Windows has no socketpair() on Python 2.7."""
    if hasattr(socket, "socketpair"):
        return socket.socketpair()
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        one = socket.create_connection(listener.getsockname())
        other, address = listener.accept()
        if address != one.getsockname():
            raise socket.error("another process connected first")
        return one, other
    finally:
        listener.close()


def closing_wakes_accept(listener):
    """Stop listening. Whether that woke the threads in accept(), as it does on Linux."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
        return True
    except (socket.error, ValueError):
        return False


def set_stack_size(size):
    """Let threads that start from now have a stack of so many bytes, where that can be chosen; returns the old one."""
    try:
        return threading.stack_size(size)
    except (ValueError, RuntimeError, threading.ThreadError):
        return 0


def set_switch_interval(seconds):
    """How long a thread may run before others that wait get their turn, where it can be set (not so on Python 2.7)."""
    if hasattr(sys, "setswitchinterval"):
        sys.setswitchinterval(seconds)


def raise_file_limit():
    """Raise the soft limit of open files to the hard one, where there is such a thing."""
    try:
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ImportError, ValueError, OSError, AttributeError):
        pass


# Only there does nothing wake a blocking recv when a signal comes: seconds until one looks.
SIGNAL_PAUSE = 0.5 if WINDOWS and PY2 else None


def on_glibc():
    """Whether the C library is glibc."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION").startswith("glibc")
    except (AttributeError, ValueError, OSError):
        return False


def is_ignored(number):
    """Whether this signal was being ignored when the process began, as nohup arranges it."""
    if signal.getsignal(number) == signal.SIG_IGN:
        return True
    try:        # PyPy does not ask the system
        with open("/proc/self/status") as status:
            masks = [line.split()[1] for line in status if line.startswith("SigIgn:")]
        return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)
    except EnvironmentError:
        return False


def ending_signals():
    """The signals that are to end a server. Windows has no SIGHUP."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in numbers if not is_ignored(number)]


def wake_on_signal(sock):
    """Have the interpreter write to this non-blocking socket when a signal comes, whichever thread receives it."""
    try:
        signal.set_wakeup_fd(sock.fileno())
    except ValueError:      # Windows with Python 2.7 takes no sockets
        pass


class Stderr(object):
    """Standard error as a log wants it: never blocks, never raises. Lines that nobody takes are dropped and counted.

    A full pipe or a stopped terminal is waited for once, PATIENCE seconds; after that, lines are dropped until there is
    room again.
    """

    PATIENCE = 0.25
    LONGEST = 4096      # bytes: a pipe that has room takes as many at once

    def __init__(self, number=2):
        self.number = number
        self.dropped = 0
        self.begun = b""    # of a line whose end has not come: logging of Python 3.6 writes that by itself
        try:    # a terminal that is stuck has room for a few bytes, and select() says so; a line would block in it
            if os.isatty(number):
                self.number = os.open(os.ttyname(number), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except (OSError, AttributeError):
            pass

    def write(self, text):
        """Write one line, at once with its end: half a line is kept until then. For one thread at a time."""
        data = self.begun + (text if isinstance(text, bytes) else text.encode("ascii", "backslashreplace"))
        if not data.endswith(b"\n"):
            self.begun = data
            return
        self.begun = b""
        try:
            if self._has_room():
                if self.dropped:
                    data = b"W: lines were dropped here: standard error took no more\n" + data
                    self.dropped = 0
                os.write(self.number, data[:self.LONGEST - 1] + b"\n" if len(data) > self.LONGEST else data)
                return
        except (OSError, ValueError):
            pass
        self.dropped += 1

    def _has_room(self):
        try:
            return WINDOWS or bool(select.select([], [self.number], [], 0 if self.dropped else self.PATIENCE)[1])
        except (OSError, ValueError, select.error) as error:    # it cannot be asked: writing to it will show
            return error.args[:1] != (errno.EINTR,)

    def flush(self):
        """Nothing: a whole line is written at once, and half a line waits for its end."""
