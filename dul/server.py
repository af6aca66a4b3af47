"""The ``ThreadingTCPServer``: listen, accept, limits, shutdown; EchoServer for embedding.

Handler threads that have finished an association go on to accept the next connection, all of them on one listening
socket: the kernel wakes one at a time. No connection ever waits for a thread to become free, because whoever takes
the last idle thread away rings for a new one. The bell wakes the thread in serve_forever(), which starts threads,
watches over the processor, and stops the server; while there is nothing to do it sleeps.
"""
import errno
import socket
import threading

from dul.association import Association
from dul.compat import (
    INTERRUPTED, OUT_OF_RESOURCES, closing_wakes_accept, monotonic, set_stack_size, socket_pair, socketserver)
from dul.report import WARNING, Report
from dul.settings import Settings

LARGEST_PORT = 65535
MOST_ASSOCIATIONS = 4096
BACKLOG = 8192              # connections that the kernel may hold for us; it caps this by a limit of its own
SPARE_THREADS = 2           # idle handler threads that there should be at least
IDLE_THREADS = 128          # idle handler threads that there may be at most
STACK_SIZE = 512 * 1024     # bytes; only what is used of it takes memory
PRESSURE_PAUSE = 1.0        # seconds until what the system had no room for is tried again
PRESSURE_TOLD = 60.0        # seconds until that is told again
STOP_LIMIT = 1.5            # seconds that open associations have for their A-ABORT
SLOWER = "accepting connections slows down until there is room again"

UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


def open_listener(host, port):
    """A listening socket: on IPv6 and IPv4 where ``host`` is empty and the system has both, else on what it has.

    :raises socket.error: where the address cannot be had
    """
    if not host and socket.has_ipv6 and hasattr(socket, "IPV6_V6ONLY") and hasattr(socket, "IPPROTO_IPV6"):
        try:
            return _listen(socket.AF_INET6, ("::", port), True)
        except socket.error as error:
            if error.errno not in UNSUPPORTED:
                raise
    family, _, _, _, address = socket.getaddrinfo(
        host or "0.0.0.0", port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0]
    return _listen(family, address, False)


def _listen(family, address, dual):
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if dual:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):      # Windows, where SO_REUSEADDR lets two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        return listener
    except Exception:
        listener.close()
        raise


class AssociationHandler(socketserver.BaseRequestHandler):
    """What a handler thread does with one connection."""

    def handle(self):
        """Serve the association until its socket is closed."""
        server = self.server
        association = Association(self.request, self.client_address, server.settings, server.report, server)
        server.enter(association)
        try:
            association.run()
        finally:
            server.depart(association)


class EchoServer(socketserver.ThreadingTCPServer, object):
    """A Verification SCP, to run alone or within another program::

        with EchoServer(port=0) as server:
            verify(*server.address)

    :param port: TCP port; 0: one that is free
    :param host: address to listen on; empty: every address, of IPv6 and of IPv4
    :param max_associations: established at once; a further one is rejected (2, 3, 2)
    :param on_event: called with a Notice for each thing that happens, in the thread of the association that it
        happens in; it must be quick
    :param listener: a socket that listens already, in place of ``host`` and ``port``
    :param report: a Report, in place of ``on_event``
    :param steward: a Steward, which sets up this process for many threads; None: it is left as it is
    :param settings: what Settings takes: ``ae_title``, ``timeout``, ``acse_timeout``, ``dimse_timeout``,
        ``maximum_length``, ``transfer_syntaxes``
    :raises socket.error: where the address cannot be had
    :raises ValueError: for a setting out of its range
    """

    daemon_threads = True

    def __init__(self, port=0, host="", max_associations=MOST_ASSOCIATIONS, on_event=None, listener=None, report=None,
                 steward=None, **settings):
        self.settings = Settings(**settings)
        if not 0 <= port <= LARGEST_PORT:
            raise ValueError("port %d is not allowed: 0 (one that is free) to %d" % (port, LARGEST_PORT))
        self.report = report or Report(on_event)
        self.max_associations = max_associations
        self.steward = steward
        self.lock = threading.Lock()
        self.departed = threading.Condition(self.lock)  # an association is over, or a thread has ended
        self.associations = set()   # those that run
        self.established = 0        # those that count towards max_associations
        self.idle = 0               # handler threads that accept, or are being started to
        self.threads = 0
        self.serving = self.stopping = False
        self.rung = False
        self.pressure_told = None
        self.short_of_threads = False
        self.finished = threading.Event()
        self.thread = None
        self.bell, self.ringer = socket_pair()
        self.ringer.setblocking(False)
        try:
            self.socket = listener or open_listener(host, port)
        except Exception:
            self.bell.close()
            self.ringer.close()
            raise
        self.socket.setblocking(True)   # whatever the listener, or socket.setdefaulttimeout(), says
        socketserver.BaseServer.__init__(self, self.socket.getsockname(), AssociationHandler)

    # ---- for the program that it is part of

    @property
    def address(self):
        """(host, port) that a peer on this host can connect to."""
        host, port = self.server_address[:2]
        return {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host), port

    def start(self):
        """Serve, in threads of its own, once. Returns the server.

        :raises RuntimeError: where it has been started or stopped before
        """
        if self.thread is not None or self.stopping:
            raise RuntimeError("an EchoServer can be started once")
        self.thread = threading.Thread(target=self.serve_forever, name="echoscp")
        self.thread.daemon = True
        self.thread.start()
        return self

    def stop(self):
        """Stop listening, abort what is open, and close; returns within two seconds. May be called twice."""
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self if self.thread else self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- socketserver's own interface

    def serve_forever(self, poll_interval=None):
        """Serve until shutdown() or request_stop() is called, by another thread or a signal handler.

        :param poll_interval: seconds after which to look whether it was, on systems where nothing wakes a thread that
            waits; None elsewhere
        """
        self.serving = True
        try:
            self.report.begin()
            while not self.stopping:
                self.start_threads()
                pause = PRESSURE_PAUSE if self.short_of_threads else poll_interval
                if self.steward is not None:
                    self.steward.crowd(self.threads)
                    pause = self.steward.tick() or pause
                self.sleep(pause)
        finally:
            self.stopping = True
            self.stop_threads()
            self.finished.set()

    def shutdown(self):
        """Make serve_forever() end, and wait until it has."""
        self.request_stop()
        if self.thread is not None:
            self.thread.join()
        elif self.serving:
            self.finished.wait()

    def request_stop(self):
        """Make serve_forever() end; does not wait, takes no lock, and may be called by a signal handler."""
        self.stopping = True
        self.ring()

    def server_close(self):
        """Close the listening socket and what else the server holds."""
        for sock in (self.socket, self.bell, self.ringer):
            sock.close()

    def shutdown_request(self, request):
        """Nothing: the association has closed its socket."""

    def handle_error(self, request, client_address):
        """A fault of ours in a handler thread: one line, and the traceback at debug."""
        try:
            self.report.fault("internal error in the association with %s" % (client_address[0],))
        except Exception:  # out of memory for that, too: the thread goes on
            pass
        finally:
            request.close()

    # ---- handler threads

    def work(self):
        """What a handler thread does: association after association."""
        idle = True
        try:
            while True:
                connection = self.accept()
                if connection is None:
                    return
                with self.lock:
                    self.idle -= 1
                    idle = False
                    scarce = self.idle < 1
                if scarce:
                    self.ring()
                self.process_request_thread(*connection)
                with self.lock:
                    if self.idle >= IDLE_THREADS:
                        return
                    self.idle += 1
                    idle = True
        finally:
            with self.lock:
                self.idle -= idle
                self.threads -= 1
                if self.stopping:
                    self.departed.notify_all()

    def accept(self):
        """The next (socket, address); None when the server stops."""
        while not self.stopping:
            try:
                return self.get_request()
            except (socket.error, ValueError, MemoryError) as error:    # ValueError: closed meanwhile, on Python 2.7
                code = getattr(error, "errno", None)
                if self.stopping:
                    break
                if code in INTERRUPTED or code == errno.ECONNABORTED:
                    continue
                if code in OUT_OF_RESOURCES or isinstance(error, MemoryError):
                    self.tell_pressure("out of file descriptors or memory (%s): %s" % (
                        getattr(error, "strerror", "MemoryError"), SLOWER))
                else:
                    self.tell_pressure("cannot accept connections (%s): %s" % (error, SLOWER))
                with self.lock:     # until an association has gone
                    self.departed.wait(PRESSURE_PAUSE)
        return None

    def start_threads(self):
        """Start handler threads until enough are idle."""
        full = False
        while not self.stopping:
            with self.lock:
                full = self.threads >= self.max_associations + IDLE_THREADS
                if full or self.idle >= SPARE_THREADS:
                    self.short_of_threads = False
                    break
                self.idle += 1
                self.threads += 1
            before = set_stack_size(STACK_SIZE)
            try:
                thread = threading.Thread(target=self.work)
                thread.daemon = True
                thread.start()
            except (RuntimeError, MemoryError, threading.ThreadError):
                with self.lock:
                    self.idle -= 1
                    self.threads -= 1
                self.short_of_threads = True
                self.tell_pressure("out of threads or memory: " + SLOWER)
                return
            finally:
                set_stack_size(before)
        if full and not self.idle:
            self.make_room()

    def make_room(self):
        """End the connection that has been silent for longest, so that silent peers cannot keep the others out."""
        with self.lock:
            silent = [each for each in self.associations if not each.admitted and not each.evicted]
        if silent:
            oldest = min(silent, key=lambda each: each.number)
            oldest.evicted = True
            oldest.transport.interrupt()
            self.tell_pressure("too many connections without an association: the oldest are closed")

    def tell_pressure(self, sentence):
        """Log that the system has no room for more: once a minute, not once a connection."""
        now = monotonic()
        with self.lock:
            if self.pressure_told is not None and now - self.pressure_told < PRESSURE_TOLD:
                return
            self.pressure_told = now
        self.report.log(WARNING, sentence)

    def stop_threads(self):
        """Stop accepting, abort what is open, and wait for it, within STOP_LIMIT."""
        deadline = monotonic() + STOP_LIMIT
        with self.lock:
            idle = self.idle
        if closing_wakes_accept(self.socket):
            idle = 0
        for _ in range(idle):       # elsewhere, a connection is what wakes a thread in accept()
            try:
                socket.create_connection(self.address, 0.1).close()
            except socket.error:
                break
        with self.lock:
            associations = list(self.associations)
        for association in associations:
            association.transport.interrupt()
        with self.lock:
            while self.threads and monotonic() < deadline:
                self.departed.wait(max(0.0, deadline - monotonic()))

    # ---- for the associations

    def enter(self, association):
        """An association begins."""
        with self.lock:
            self.associations.add(association)
        if self.stopping:
            association.transport.interrupt()

    def depart(self, association):
        """It is over, and its socket is closed."""
        with self.lock:
            self.associations.discard(association)
            if self.pressure_told is not None:
                self.departed.notify()

    def admit(self):
        """Whether one association more may be established; if so it counts until leave()."""
        with self.lock:
            if self.established >= self.max_associations:
                return False
            self.established += 1
            return True

    def leave(self):
        """An established association is over."""
        with self.lock:
            self.established -= 1

    def busy(self):
        """Called at every so many-th association and echo, so that the steward knows that there is work."""
        if self.steward is not None and not self.steward.called:
            self.steward.called = True
            self.ring()

    # ---- the bell

    def ring(self):
        """Wake serve_forever()."""
        if not self.rung:
            self.rung = True
            try:
                self.ringer.send(b"!")
            except (socket.error, ValueError):      # it has rung already, or the server is closed
                pass

    def sleep(self, seconds):
        """Until somebody rings, or so many seconds; None: until somebody rings."""
        try:
            self.bell.settimeout(seconds)
            self.bell.recv(64)
        except socket.timeout:
            pass
        except socket.error as error:
            if error.errno not in INTERRUPTED:
                raise
        self.rung = False
