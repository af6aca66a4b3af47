"""The process as a service: systemd's socket, sd_listen_fds(3), readiness, sd_notify(3); signals; standard files."""
import os
import select
import signal
import socket

from dul.compat import INTERRUPTED, NOT_NOW, WINDOWS
from dul.options import UsageError

FIRST_FD = 3
SO_DOMAIN = 39      # Linux's number for the address family of a socket, which few Pythons have


def handed_over(environ, port):
    """The listening socket that the service manager hands over, or None; what tells of it is taken out of ``environ``.
    Raises UsageError where what is handed over is not one TCP socket that listens on this port."""
    pid, count, _ = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_FDNAMES", "")
    if pid != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise UsageError("LISTEN_FDS is %s, due: 1 listening socket" % count)
    problem = "the socket handed over (LISTEN_FDS) does not listen on TCP"
    for family in (socket.AF_INET, getattr(socket, "AF_INET6", None)):
        try:
            sock = socket.fromfd(FIRST_FD, family, socket.SOCK_STREAM)
        except (OSError, socket.error, TypeError):
            break
        try:
            if (sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN) == family
                    and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
                os.close(FIRST_FD)
                if sock.getsockname()[1] == port:
                    return sock
                problem = "port %d is not that of the socket handed over (LISTEN_FDS): %d" % (port, sock.getsockname()[1])
        except (OSError, socket.error):
            pass
        sock.close()
    raise UsageError(problem)


def notify(environ, state):
    """Tell the service manager ``READY=1`` or ``STOPPING=1``, where NOTIFY_SOCKET asks for it; never wait for it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.sendto(state.encode("ascii"), "\0" + address[1:] if address[0] == "@" else address)
    except (OSError, socket.error):     # its listener is gone, or does not read: the service goes on
        pass
    finally:
        sock.close()


def fill_standard_files():
    """Open what of standard input, output and error is closed, or the next socket would be taken for it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            try:
                os.open(os.devnull, os.O_RDWR)
            except OSError:     # no null device here: a pipe takes its place, and is never read
                os.pipe()


def write(number, text):
    """Write to a descriptor, standard output or error, and wait until all is taken. Returns whether it was."""
    data = text if isinstance(text, bytes) else text.encode("ascii", "backslashreplace")
    while data:
        try:
            data = data[os.write(number, data):]
        except OSError as error:
            if error.errno not in NOT_NOW + INTERRUPTED or WINDOWS:
                return False
            select.select([], [number], [])     # another program has made the terminal or pipe non-blocking
    return True


def end_by(number):
    """End as a process that this signal ended, as shells and service managers expect. Where none can, on Windows and
    as the first process of a container, the exit status is 128 + its number."""
    if not WINDOWS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)
