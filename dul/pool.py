"""The handler threads of an EchoServer: the one deviation from ``ThreadingTCPServer``, and its reason.

``ThreadingTCPServer`` starts a thread for each connection, which is half of what a whole association costs it. So a
handler thread that has finished a connection goes on to accept the next one. One idle thread, the leader, waits for a
connection; when it has one, the next becomes the leader. The thread in serve_forever() starts new ones when none is
idle, and sleeps otherwise.
"""
import socket
import sys
import threading

from dul.compat import (
    CLOSED_BY_PEER, INTERRUPTED, NOT_NOW, OUT_OF_RESOURCES, ThreadError, get_ident, mmap, monotonic, schedule_as_batch,
    socket_pair, start_new_thread, waiter)

SPARE_THREADS = 2           # idle threads that there should be
IDLE_THREADS = 128          # idle threads that there may be at most
STACK_SIZE = 512 * 1024     # bytes for each thread; only what is used of it takes memory
ROOM = 4 * 1024 * 1024      # bytes of memory for a new thread: where it starts without, CPython can end the process
PRESSURE_PAUSE = 1.0        # seconds until what the system had no room for is tried again
STOP_POLITELY = 1.2         # seconds that open associations have for their A-ABORT
STOP_LIMIT = 1.4            # seconds after which stop() waits no longer
SWITCH_INTERVAL = 0.0002    # seconds of GIL switch interval for each thread: with many threads it must be longer than
LEAST_INTERVAL = 0.005      # Python's own, because they otherwise spend their time requesting the GIL
LONGEST_INTERVAL = 0.25
STACKS = threading.Lock()   # the size of stacks is one of the whole process
SLOWER = "accepting connections slows down until there is room again"


class HandlerThreads(object):
    """The threads that serve the connections of an EchoServer. ``alone``: what is one for the whole process may be set."""

    def __init__(self, server, alone):
        self.server = server
        self.alone = alone
        self.most = server.admission.most + IDLE_THREADS
        self.lock = threading.Lock()
        self.ended = threading.Condition(self.lock)
        self.leader = threading.Lock()
        self.threads = self.idle = 0                # how many there are, and how many of them wait for a connection
        self.patience = 0.0                         # before this time the thread that was begun last may not run yet
        self.halt, self.halted = socket_pair()      # halt is closed at the end: then the leader can read from halted
        self.wait = waiter([server.socket, self.halted])
        if alone:
            schedule_as_batch()     # each thread takes it over from the one that starts it

    def grow(self):
        """Start a thread where one is missing; called again when it runs, and after the seconds that this returns."""
        if self.alone and hasattr(sys, "setswitchinterval"):
            sys.setswitchinterval(min(max(LEAST_INTERVAL, self.threads * SWITCH_INTERVAL), LONGEST_INTERVAL))
        full = self.threads >= self.most
        if self.idle >= (1 if full else SPARE_THREADS):
            return None
        if not full and monotonic() >= self.patience:
            self.patience = monotonic() + PRESSURE_PAUSE
            full = not begin_thread(self.run)
            if full:
                self.server.log.pressure("threads", "out of threads or memory: " + SLOWER)
        if full and not self.idle and self.server.admission.evict(self.threads >= self.most):
            self.server.log.pressure("connections", "too many connections without an association: the oldest are closed")
        return PRESSURE_PAUSE

    def count(self, threads, idle):
        """Add to the numbers of threads and of idle ones."""
        with self.lock:
            self.threads += threads
            self.idle += idle
            if threads < 0:
                self.ended.notify_all()
                self.server.wake()      # it may be missing

    def run(self):
        """What a handler thread does: connection after connection."""
        known, identifier = getattr(threading, "_active", {}), get_ident()      # now: at the end memory may be short
        self.count(1, 1)
        self.patience = 0.0
        try:
            self.server.wake()
            while self.serve_one() and self.idle <= IDLE_THREADS:
                pass
        except BaseException:   # no memory for the least thing: one thread less, and serve_forever() starts another
            pass
        known.pop(identifier, None)     # what threading keeps of a thread that it did not start, before Python 3.13
        self.count(-1, -1)

    def serve_one(self):
        """Accept a connection and serve it. Returns whether there was one."""
        connection = self.accept()
        if connection is None:
            return False
        self.count(0, -1)
        if not self.idle:
            self.server.wake()
        try:
            self.server.process_request(*connection)
        finally:
            self.count(0, 1)
        return True

    def accept(self):
        """The next (socket, address); None when the server stops."""
        server = self.server
        if self.idle == self.threads and not server.stopping:   # a peer that comes again at once wakes no other thread
            try:
                return server.get_request()
            except (socket.error, MemoryError):     # the leader finds out why
                pass
        with self.leader:
            while not server.stopping:
                try:
                    return server.get_request()
                except (socket.error, MemoryError) as error:
                    self.refused(error)
        return None

    def refused(self, error):
        """accept() has none: wait for one, or, where the system has no room for more, until it may have."""
        code = error.args[0] if error.args else None
        if code in NOT_NOW:
            self.wait()
        elif not self.server.stopping and code not in INTERRUPTED + CLOSED_BY_PEER:
            full = code in OUT_OF_RESOURCES or isinstance(error, MemoryError)
            self.server.log.pressure("accept", "%s (%s): %s" % (
                "out of file descriptors or memory" if full else "cannot accept connections",
                getattr(error, "strerror", "MemoryError"), SLOWER))
            if full:
                self.server.admission.evict(False)
            self.server.admission.wait(PRESSURE_PAUSE)

    def stop(self):
        """Abort what is open, and wait for it within STOP_LIMIT. Nothing is accepted any more."""
        self.halt.close()
        now = monotonic()
        for sending, end in ((False, now + STOP_POLITELY), (True, now + STOP_LIMIT)):
            for connection in self.server.admission.all():
                connection.transport.interrupt(sending)
            self.join(end)

    def join(self, end):
        """Wait until all threads have ended, or until this time."""
        with self.lock:
            while self.threads and monotonic() < end:
                self.ended.wait(max(0.001, end - monotonic()))


def begin_thread(function):
    """Have a new thread call ``function``. Returns whether the system had room for it."""
    try:
        if mmap:
            mmap.mmap(-1, ROOM).close()
        with STACKS:
            before = threading.stack_size(STACK_SIZE)
            try:    # not Thread.start(): it waits for a sign of the new thread, for ever where memory runs out
                start_new_thread(function, ())
            finally:
                threading.stack_size(before)
        return True
    except (ThreadError, RuntimeError, MemoryError, ValueError, EnvironmentError):
        return False
