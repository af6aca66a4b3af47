"""systemd's protocol: a listening socket handed over (sd_listen_fds(3)) and readiness (sd_notify(3)).

Nothing happens where its environment variables are absent.
"""
import os
import socket

FIRST_FD = 3
SO_DOMAIN = 39      # Linux's number, which few Pythons have: the address family of a socket
NOT_LISTENING = "the socket handed over (LISTEN_FDS) does not listen on TCP"


def handed_over(environ):
    """The listening socket that the service manager hands over, or None.

    :param environ: the process environment; what this reads is taken out of it
    :raises ValueError: where what is handed over is not one listening TCP socket
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise ValueError("LISTEN_FDS is %s, due: 1 listening socket" % count)
    try:
        sock = socket.fromfd(FIRST_FD, socket.AF_INET, socket.SOCK_STREAM)
        family = sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
        if family == socket.AF_INET6:
            sock.close()
            sock = socket.fromfd(FIRST_FD, family, socket.SOCK_STREAM)
        elif family != socket.AF_INET:
            raise ValueError(NOT_LISTENING)
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(NOT_LISTENING)
        os.close(FIRST_FD)
        sock.setblocking(True)
        return sock
    except (OSError, socket.error):
        raise ValueError(NOT_LISTENING)


def notify(environ, state):
    """Tell the service manager ``READY=1`` or ``STOPPING=1``, if it wants to know."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.settimeout(1)
        sock.sendto(state.encode("ascii"), "\0" + address[1:] if address[0] == "@" else address)
    except (OSError, socket.error):     # its listener is gone: the service goes on
        pass
    finally:
        sock.close()
