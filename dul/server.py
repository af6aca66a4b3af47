"""``EchoServer``: the ``ThreadingTCPServer``, listening, accepting, stopping; for the command line and for embedding.

Which lock guards what, as if there were no GIL: a ``lock``, and LogWriter's ``changed``, what its own object keeps;
``HandlerThreads.leader`` is held by the one thread that waits for a connection. Without a lock, a Connection and its
Association are written by their handler thread alone, but for ``evicted``, which goes from False to True once, as
``EchoServer.stopping`` does. Other threads read ``active``, ``admitted`` and the state to choose what to evict; by an
old value they may choose one whose association has just begun. The values of ``Negotiator.remembered`` are never
changed; two threads that add to it at the same time decode once more, or keep a few decisions more.
"""
import errno
import socket
import sys
import threading

from dul.acse import Negotiator
from dul.admission import Admission
from dul.compat import (
    INTERRUPTED, NOT_NOW, POLL_INTERVAL, PREFER_LOCAL, get_ident, socket_pair, socketserver, timeout_of)
from dul.connection import Connection, peer_name
from dul.events import FAULTS, NOTICES, Notice, Sums
from dul.log import DEBUG, ERROR, Log, enabled
from dul.pool import HandlerThreads
from dul.settings import Settings

LARGEST_PORT = 65535
MOST_ASSOCIATIONS = 4096
UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


class EchoServer(socketserver.ThreadingTCPServer, object):
    """A Verification SCP, to run alone or within another program::

        with EchoServer(port=0) as server:
            verify(*server.address)

    :param port: TCP port; 0: one that is free
    :param host: address to listen on; empty: every address, of IPv6 and of IPv4
    :param max_associations: established at once; a further one is rejected (2, 3, 2)
    :param on_event: called with a Notice for each thing that happens, in the thread of its connection; must be quick
    :param listener: a socket that listens already, in place of ``host`` and ``port``; it stays open and as it was
    :param alone: whether this process does nothing else: then GIL switch interval and scheduling policy are set for threads
    :param settings: ``ae_title``, ``timeout`` and what else Settings takes
    :raises socket.error: where the address cannot be had
    :raises ValueError: for a setting out of its range
    """

    daemon_threads = True
    request_queue_size = 8192       # connections that the kernel may hold for us; it has a limit of its own
    # Windows lets two servers share a port that has SO_REUSEADDR; there SO_EXCLUSIVEADDRUSE is right
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
    shutdown_request = socketserver.TCPServer.close_request     # no shutdown(): a Connection has closed its socket
    settings = property(lambda self: self.negotiator.settings, doc="What every association is held to: Settings.")
    process_request = socketserver.ThreadingMixIn.process_request_thread    # this is a handler thread (see ``pool``)

    def __init__(self, port=0, host="", max_associations=MOST_ASSOCIATIONS, on_event=None, listener=None, alone=False,
                 **settings):
        if not 0 <= port <= LARGEST_PORT:
            raise ValueError("port %d is not allowed: 0 (one that is free) to %d" % (port, LARGEST_PORT))
        settings.setdefault("transfer_syntaxes", PREFER_LOCAL)
        self.negotiator = Negotiator(Settings(**settings))
        self.admission = Admission(max_associations)
        self.sums, self.log, self.on_event = Sums(), Log(self.admission), on_event
        self.listeners = [self.sums.told, self.log.told] + ([self.notify] if on_event else [])
        self.handed_over = listener
        self.stopping = False
        self.thread = self.serving = None   # the one that start() started; the identifier of the one in serve_forever()
        self.finished = threading.Event()   # serve_forever() does not run
        self.finished.set()
        self.wake_reader = self.wake_writer = self.pool = None
        self.open(host, port)
        self.wake_reader, self.wake_writer = socket_pair()
        self.wake_writer.setblocking(False)
        self.log.limit.wake = self.wake
        self.pool = HandlerThreads(self, alone)

    def open(self, host, port):
        """Listen: on IPv6 and IPv4 where ``host`` is empty and the system has both; unless a socket was handed over."""
        if self.handed_over is not None:
            self.address_family, address = self.handed_over.family, self.handed_over.getsockname()
            socketserver.ThreadingTCPServer.__init__(self, address, Connection, False)
            self.socket.close()
            self.socket = self.handed_over
            return
        if not host and socket.has_ipv6 and hasattr(socket, "IPV6_V6ONLY") and hasattr(socket, "IPPROTO_IPV6"):
            addresses = [(socket.AF_INET6, ("::", port)), (socket.AF_INET, ("0.0.0.0", port))]
        else:
            found = socket.getaddrinfo(host or "0.0.0.0", port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
            addresses = [(found[0][0], found[0][4])]    # type: ignore[list-item]
        for self.address_family, address in addresses:
            try:
                return socketserver.ThreadingTCPServer.__init__(self, address, Connection)
            except socket.error as error:
                if error.errno not in UNSUPPORTED or address is addresses[-1][1]:
                    raise

    @property
    def address(self):
        """(host, port) that a peer on this host can connect to."""
        host, port = self.server_address[:2]
        return ("127.0.0.1" if host in ("0.0.0.0", "::") else host), port

    def summary(self):
        """What happened so far, in one line."""
        return self.sums.summary(self.admission)

    def start(self):
        """Serve in threads of its own, and return the server. Raises RuntimeError where it began or ended before."""
        if self.thread is not None or self.stopping:
            raise RuntimeError("an EchoServer can be started once")
        thread = threading.Thread(target=self.serve_forever, name="echoscp")
        thread.daemon = True
        thread.start()
        self.thread = thread
        return self

    def stop(self):
        """Stop listening, abort what is open, and close: within two seconds. From within on_event, request_stop() is due."""
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self if self.thread and not self.stopping else self.start()

    def __exit__(self, *_):
        self.stop()

    def server_bind(self):
        """Bind the socket."""
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if self.address_family != socket.AF_INET and self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.ThreadingTCPServer.server_bind(self)

    def server_close(self):
        """Close the listening socket, and what else the server holds. One that was handed over goes on listening."""
        if self.handed_over is None:
            self.socket.close()
        if self.pool is not None:
            for each in (self.wake_reader, self.wake_writer, self.pool.halt, self.pool.halted):
                each.close()

    def serve_forever(self, poll_interval=POLL_INTERVAL):
        """Serve until shutdown() or request_stop() is called, by another thread or a signal handler.

        :param poll_interval: seconds until it looks for that even if nothing wakes it; None: until it is woken
        """
        timeout = None if self.handed_over is None else timeout_of(self.handed_over)
        self.finished.clear()
        self.serving = get_ident()
        try:
            if not self.stopping:
                self.socket.setblocking(False)  # who waits for a connection must be able to wait for the end as well
            while not self.stopping:
                self.service_actions(poll_interval)
        finally:
            self.end(timeout)

    def service_actions(self, poll_interval=POLL_INTERVAL):
        """What is due now; then wait for more."""
        pauses = [self.pool.grow(), self.log.limit.pause(), poll_interval]
        self.sleep(min([pause for pause in pauses if pause is not None] or [None]))
        if self.log.limit.pause() == 0:
            self.log.summarize()

    def end(self, timeout):
        """The end of serve_forever()."""
        self.stopping = True
        try:
            self.pool.stop()
            self.log.summarize()
            if self.handed_over is not None:
                self.socket.settimeout(timeout)
        finally:    # even where the owner of the socket has closed it
            self.finished.set()

    def shutdown(self):
        """Make serve_forever() end, and wait until it has."""
        self.request_stop()
        if self.serving != get_ident():     # a log handler may call it in that thread, which goes on to its end then
            self.finished.wait()
            if self.thread is not None:
                self.thread.join()

    def request_stop(self):
        """Make serve_forever() end; does not wait, takes no lock, and may be called by a signal handler."""
        self.stopping = True
        self.wake()

    def handle_error(self, request, client_address):
        """A fault of this program in a handler thread: one line, and the traceback at debug."""
        self.fault("internal error in the connection from " + peer_name(client_address))

    def notify(self, connection, kind, value):
        """Tell the embedding program of a fact. What its callback raises is logged, and goes no further."""
        if kind in NOTICES:
            try:
                self.on_event(Notice(connection, kind, value))
            except BaseException:   # the callback is not ours: even its SystemExit must not end a thread
                self.log.line(ERROR, "on_event raised an exception", connection, exc_info=sys.exc_info())

    def fault(self, words, connection=None):
        """A fault of this program, from within its ``except``."""
        self.sums.add(FAULTS)
        if isinstance(sys.exc_info()[1], MemoryError):
            self.log.pressure("memory", "out of memory: a connection is closed")
        elif self.log.limit.permits(FAULTS):
            self.log.line(ERROR, "%s: %r; please report it" % (words, sys.exc_info()[1]), connection,
                          exc_info=sys.exc_info() if enabled(DEBUG) else None)

    def wake(self):
        """Wake serve_forever(). Takes no lock."""
        try:
            self.wake_writer.send(b"!")
        except (socket.error, ValueError, MemoryError):     # awake already, closed, or else POLL_INTERVAL helps
            pass

    def sleep(self, seconds):
        """Wait until wake() is called, at most so many seconds; None: without a limit."""
        try:
            self.wake_reader.settimeout(seconds)
            self.wake_reader.recv(100)
        except (socket.error, MemoryError) as error:    # where it has no number, it is the timeout or the memory
            if getattr(error, "errno", None) not in INTERRUPTED + NOT_NOW + (None,):
                raise
