"""The only tests of the Python version and the platform."""
import errno
import os
import select
import signal
import socket
import struct
import sys
import time

from dul.settings import PREFER_BIG, PREFER_LITTLE

PY2 = sys.version_info[0] == 2
WINDOWS = os.name == "nt"
PREFER_LOCAL = PREFER_BIG if sys.byteorder == "big" else PREFER_LITTLE

NO_SOCKETSERVER = "this Python has no module socketserver: install Debian's package libpython3-stdlib or its like"
try:
    if PY2:
        import SocketServer as socketserver
        from thread import error as ThreadError, get_ident, start_new_thread
    else:
        import socketserver
        from _thread import error as ThreadError, get_ident, start_new_thread
except ImportError:
    if __name__ == "__main__":
        sys.exit("echoscp.py: " + NO_SOCKETSERVER)
    raise ImportError(NO_SOCKETSERVER)

try:
    import mmap
except ImportError:     # a stripped-down Python
    mmap = None         # type: ignore[assignment]

# The clock of every deadline: seconds that never go back. Python 2 has no time.monotonic, but os.times() counts from
# boot on POSIX (in steps of 10 ms), and time.clock() from its first call on Windows.
monotonic = getattr(time, "monotonic", None) or (time.clock if WINDOWS else lambda: os.times()[4])


def codes_of(*names):
    """The numbers of errors by their names; sockets of Windows have numbers of their own."""
    return tuple([getattr(errno, each) for name in names for each in (name, "WSA" + name) if hasattr(errno, each)])


INTERRUPTED = codes_of("EINTR")
NOT_NOW = codes_of("EAGAIN", "EWOULDBLOCK")
CLOSED_BY_PEER = codes_of("ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN")
OUT_OF_RESOURCES = codes_of("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")
NOT_PERMITTED = codes_of("EACCES", "EPERM")
IN_USE = codes_of("EADDRINUSE")

# Whether shutdown() wakes a recv() in another thread. On Windows it does not.
SHUTDOWN_WAKES = not WINDOWS

# Seconds until a server looks for its end even if nothing wakes it; None: it is always woken. On Windows a signal does
# not end a blocking recv() of Python 2, and in Wine one of two threads that wake it at once may fail to.
POLL_INTERVAL = 0.5 if WINDOWS else None

# Linux with a 64-bit C long: struct timeval is two longs, and SO_RCVTIMEO and SO_SNDTIMEO save a poll() before each
# recv() and send(), which settimeout() would cost.
KERNEL_TIMEOUTS = sys.platform.startswith("linux") and struct.calcsize("l") == 8


def set_timeout(sock, seconds, sending=False):
    """Bound each recv() or each send() of a socket; None: no bound. One holds for both without kernel timeouts."""
    if KERNEL_TIMEOUTS:
        whole = 0 if seconds is None else int(seconds)
        micro = 0 if seconds is None else int(seconds % 1 * 1000000) or 1      # 0, 0 would be no bound
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO if sending else socket.SO_RCVTIMEO,
                        struct.pack("ll", whole, micro))
    else:
        sock.settimeout(seconds)


def socket_pair():
    """Two connected sockets; Windows has no socketpair() before Python 3.5."""
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


def waiter(socks):
    """A function that blocks until one of these sockets can be read; for one thread at a time."""
    if not hasattr(select, "poll"):     # Windows
        return lambda: select.select(socks, [], [])
    poll = select.poll()
    for sock in socks:
        poll.register(sock.fileno(), select.POLLIN)
    return poll.poll


def timeout_of(sock):
    """What settimeout() takes to leave a listening socket as it is now: its open file may be non-blocking for others."""
    try:
        import fcntl
        if sock.gettimeout() is None and fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK:
            return 0.0
    except ImportError:     # Windows
        pass
    return sock.gettimeout()


def raise_file_limit():
    """Raise the soft limit of open files to the hard one, where there is such a limit."""
    try:
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except Exception:   # there is none, or the system refuses: Python 2 raises an exception of the module's own
        pass


def schedule_as_batch():
    """A thread that wakes shall not preempt the one that holds the GIL, and then wait for it: SCHED_BATCH, sched(7)."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:      # no policy was chosen from outside
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, EnvironmentError):  # another system, before Python 3.3, or forbidden
        pass


def is_ignored(number):
    """Whether this signal was ignored when the process began, as nohup arranges it."""
    if signal.getsignal(number) == signal.SIG_IGN:
        return True
    try:        # PyPy does not ask the system
        with open("/proc/self/status", "rb") as status:     # bytes: the name of the process may be in any encoding
            masks = [line.split()[1] for line in status if line.startswith(b"SigIgn:")]
        return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)
    except EnvironmentError:
        return False


def ending_signals():
    """The signals that are to end a server: SIGINT, SIGTERM, SIGHUP; on Windows Ctrl-C and Ctrl-Break."""
    names = ("SIGINT", "SIGBREAK", "SIGTERM") if WINDOWS else ("SIGINT", "SIGTERM", "SIGHUP")
    return [number for number in [getattr(signal, name) for name in names if hasattr(signal, name)]
            if not is_ignored(number)]


def wake_on_signal(sock):
    """Have the interpreter write to this non-blocking socket when a signal comes, whichever thread receives it."""
    try:
        signal.set_wakeup_fd(sock.fileno(), warn_on_full_buffer=False)
    except TypeError:       # before Python 3.7
        signal.set_wakeup_fd(sock.fileno())
    except ValueError:      # Windows with Python 2.7 takes no sockets
        pass
