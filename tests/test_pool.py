"""The handler threads: reused, started when one is missing, and what happens when the system has no room."""
import errno
import logging
import socket
import sys
import threading
import unittest

from support import (
    LogCapture, Recorder, at_length, both_forms, descriptors, good_echo, monotonic, replace, replace_name, serve,
    wait_until, with_a_patient_stop)
from wire import Peer, abort, associate_rq, echo_rq, echo_rsp

SIZE = 1024 * 1024      # bytes of a stack
SHORT = 0.1             # seconds for something that is not to happen
SLOWER = "accepting connections slows down until there is room again"


class Threads(object):
    """How many there are."""

    def setUp(self):
        self.log = LogCapture(self, logging.WARNING)

    def settle(self, server):
        """Wait until nothing is served and enough threads wait."""
        wait_until(lambda: server.pool.idle == server.pool.threads >= 2 and not server.admission.all(), "it has settled")
        return server.pool.threads

    def connect(self, server, count):
        """So many associations that stay open."""
        peers = [Peer(server.address) for _ in range(count)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.send(associate_rq())
        self.assertEqual(set([peer.pdu()[:1] for peer in peers]), set([b"\x02"]))
        return peers

    def test_threads_are_reused_one_connection_after_another(self):
        idents = set()
        recorder = Recorder(lambda notice: idents.add(self.dul.get_ident()))
        server = serve(self, on_event=recorder)
        self.settle(server)
        for _ in range(30):
            good_echo(server.address)
            self.settle(server)
        recorder.ends(30)
        self.assertLess(self.settle(server), 15)
        self.assertLess(len(idents), 15)

    def test_a_thread_looks_for_the_next_connection_before_it_waits_where_none_is_served(self):
        class Waits(Exception):
            """It would wait until it is the leader."""

        class Leader(object):
            """Another thread is, for ever."""

            def __enter__(self):
                raise Waits()

            def __exit__(self, *_):
                """Never comes to it."""

        def get_request():
            if isinstance(found, Exception):
                raise found
            return found
        server = self.dul.EchoServer(0)
        self.addCleanup(server.stop)
        pool, server.get_request = server.pool, get_request
        pool.leader = Leader()
        for idle, stopping, found, due in ((3, False, "connection", "connection"), (2, False, "connection", Waits),
                                           (3, True, "connection", Waits), (3, False, MemoryError(), Waits),
                                           (3, False, socket.error(errno.EAGAIN, "there is none"), Waits)):
            pool.threads, pool.idle, server.stopping = 3, idle, stopping
            if due is Waits:
                self.assertRaises(Waits, pool.accept)
            else:
                self.assertEqual(pool.accept(), due)
        pool.threads = pool.idle = 0

    def test_the_leader_waits_where_there_is_no_connection_and_does_not_spin(self):
        server, steps = self.dul.EchoServer(0), []
        self.addCleanup(server.stop)

        def get_request():
            steps.append("accept")
            server.stopping = len(steps) > 6
            raise socket.error(errno.EAGAIN, "there is none")
        server.get_request, server.pool.wait = get_request, lambda: steps.append("wait")
        server.pool.threads = 1
        self.assertIsNone(server.pool.accept())
        server.pool.threads = 0
        self.assertEqual(steps, ["accept", "wait"] * 4)

    def test_who_takes_a_connection_calls_for_another_thread_where_it_was_the_last_that_waited(self):
        for others, due in ((0, ["begins", "last", "leaves"]), (1, ["begins", "leaves"])):
            server, woken, found = self.dul.EchoServer(0), [], [(None, None), None]
            self.addCleanup(server.stop)
            pool = server.pool
            server.wake = lambda: woken.append(["leaves", "last", "begins"][len(found)])
            server.process_request = lambda *_: None
            pool.accept = lambda: found.pop(0)
            pool.threads = pool.idle = others
            self.dul.start_new_thread(pool.run, ())
            wait_until(lambda: not found and pool.threads == others, "it has ended")
            self.assertEqual((woken, pool.idle), (due, others))
            pool.threads = pool.idle = 0

    def test_threads_wait_for_a_connection_and_more_are_started_when_needed(self):
        server = serve(self)
        wait_until(lambda: server.pool.idle >= 2, "two wait")
        peers = self.connect(server, 20)
        wait_until(lambda: server.pool.idle >= 1, "one waits again at least")
        self.assertGreaterEqual(server.pool.threads, 21)
        for peer in peers:
            peer.close()
        self.settle(server)

    def test_a_thread_is_begun_when_the_last_one_runs_or_has_had_time_to(self):
        begun, moment = [], [1000.0]
        start = replace_name(self, "pool", "start_new_thread", lambda function, arguments: begun.append(function))
        replace_name(self, "pool", "monotonic", lambda: moment[0])
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)
        for seconds, due in ((0.0, 1), (0.99, 1), (0.02, 2), (0.98, 2)):
            moment[0] += seconds
            for _ in range(3):
                self.assertEqual(server.pool.grow(), 1.0)
            self.assertEqual(len(begun), due, moment)
        server.request_stop()
        start(begun[0], ())         # it runs, and ends at once
        wait_until(lambda: server.pool.grow() and len(begun) == 3, "there is the next")

    def test_of_idle_threads_so_many_stay_and_no_more(self):
        self.assertEqual(self.dul.IDLE_THREADS, 128)
        replace_name(self, "pool", "IDLE_THREADS", 5)
        server = serve(self)
        for peer in self.connect(server, 12):
            peer.close()
        wait_until(lambda: not server.admission.all(), "all are over")
        wait_until(lambda: server.pool.threads <= 8, "what is not needed has ended")
        wait_until(lambda: server.pool.idle == server.pool.threads, "the others wait")
        good_echo(server.address)

    def test_no_thread_is_left_in_the_books_of_threading(self):
        if not hasattr(threading, "_active"):
            self.skipTest("there are no such books here")
        before = set(threading._active)
        server = serve(self, on_event=lambda notice: threading.current_thread())
        good_echo(server.address)
        server.stop()
        wait_until(lambda: set(threading._active) <= before, "they are forgotten")

    def test_the_switch_interval_grows_with_the_threads_where_this_process_does_nothing_else(self):
        if not hasattr(sys, "setswitchinterval"):
            self.skipTest("this Python has another way to take turns")
        before = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, before)
        replace_name(self, "pool", "schedule_as_batch", lambda: None)
        server = self.dul.EchoServer(port=0, alone=True)
        self.addCleanup(server.stop)
        server.pool.idle = 9        # so that none is started
        for threads, interval in ((0, 0.005), (25, 0.005), (50, 0.01), (130, 0.026), (1000, 0.2), (4096, 0.25)):
            server.pool.threads = threads
            self.assertIsNone(server.pool.grow())
            self.assertAlmostEqual(sys.getswitchinterval(), interval, 4)
        server.pool.threads = server.pool.idle = 0

    def test_the_scheduling_policy_is_set_where_this_process_does_nothing_else(self):
        calls = []
        replace_name(self, "pool", "schedule_as_batch", lambda: calls.append("batch"))
        for alone, due in ((False, []), (True, ["batch"])):
            self.dul.EchoServer(port=0, alone=alone).stop()
            self.assertEqual(calls, due)

    def test_a_program_that_embeds_the_server_keeps_its_own_interval(self):
        if not hasattr(sys, "setswitchinterval"):
            self.skipTest("this Python has another way to take turns")
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.004)
        server = serve(self)
        self.connect(server, 40)
        self.assertAlmostEqual(sys.getswitchinterval(), 0.004, 4)

    def test_the_stacks_of_other_threads_keep_their_size(self):
        self.addCleanup(threading.stack_size, threading.stack_size(SIZE))
        server = serve(self)
        good_echo(server.address)
        server.stop()       # it starts no thread any more
        self.assertEqual(threading.stack_size(SIZE), SIZE)

    def test_the_stacks_of_other_threads_keep_their_size_when_two_servers_start_threads_at_the_same_time(self):
        calls, both, ended = [], threading.Event(), threading.Event()
        self.addCleanup(threading.stack_size, threading.stack_size(SIZE))

        def start(*_):
            """Starts none; the other server may do what it likes meanwhile, and has to wait."""
            calls.append(1)
            if len(calls) == 1:
                both.wait(SHORT)
            else:
                both.set()
                ended.wait(SHORT)

        def grow(server):
            """Start one, as it believes."""
            server.pool.grow()
            ended.set()
        replace_name(self, "pool", "start_new_thread", start)
        servers = [self.dul.EchoServer(port=0) for _ in range(2)]
        threads = [threading.Thread(target=grow, args=(server,)) for server in servers]
        for server, thread in zip(servers, threads):
            self.addCleanup(server.stop)
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(calls), 2)
        self.assertEqual(threading.stack_size(SIZE), SIZE)

    def test_a_thread_has_a_small_stack(self):
        server, sizes = self.dul.EchoServer(port=0), []
        self.addCleanup(server.stop)
        replace_name(self, "pool", "start_new_thread", lambda *_: None)
        replace(self, threading, "stack_size", lambda size: sizes.append(size) or 0)
        server.pool.grow()
        self.assertTrue(256 * 1024 <= sizes[0] <= 1024 * 1024, sizes)       # that of Linux has 8 MB
        self.assertEqual(sizes[1:], [0])        # and of what comes after it has what it was

    def test_a_system_that_refuses_the_size_of_a_stack_is_told_as_out_of_memory(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)

        def refuse(*_):
            raise ValueError("size not valid")
        replace(self, threading, "stack_size", refuse)
        self.assertEqual(server.pool.grow(), 1.0)
        self.assertEqual(self.log.lines(), ["W: out of threads or memory: " + SLOWER])


class Growing(object):
    """HandlerThreads.grow(), with numbers."""

    def grow(self, threads, idle, evicts=False, starts=True):
        """(what grow() returns, how many threads were started, whether somebody was to go: urgently or not)."""
        server = self.dul.EchoServer(port=0, max_associations=10)
        self.addCleanup(server.stop)
        started, evicted = [], []
        replace_name(self, "pool", "begin_thread", lambda function: not started.append(function) and starts)
        server.admission.evict = lambda urgent: evicted.append(urgent) or evicts
        server.pool.threads, server.pool.idle = threads, idle
        result = server.pool.grow()
        server.pool.threads = server.pool.idle = 0
        return result, len(started), evicted

    def test_a_thread_is_started_where_less_than_two_wait_and_the_look_repeated(self):
        log = LogCapture(self, logging.WARNING)
        self.assertEqual(self.grow(0, 0), (1.0, 1, []))
        self.assertEqual(self.grow(5, 1), (1.0, 1, []))
        self.assertEqual(self.grow(5, 2), (None, 0, []))
        self.assertEqual(self.grow(137, 0), (1.0, 1, []))
        self.assertEqual(log.lines(), [])

    def test_at_the_most_somebody_has_to_go_where_nobody_waits(self):
        log = LogCapture(self, logging.WARNING)
        self.assertEqual(self.grow(138, 1), (None, 0, []))
        self.assertEqual(self.grow(138, 0), (1.0, 0, [True]))
        self.assertEqual(log.lines(), [])
        self.assertEqual(self.grow(138, 0, True), (1.0, 0, [True]))
        self.assertEqual(log.lines(), ["W: too many connections without an association: the oldest are closed"])

    def test_where_no_thread_can_be_started_somebody_has_to_go_but_no_new_one(self):
        log = LogCapture(self, logging.WARNING)
        self.assertEqual(self.grow(5, 1, True, starts=False), (1.0, 1, []))
        self.assertEqual(self.grow(5, 0, True, starts=False), (1.0, 1, [False]))
        self.assertEqual(set(log.lines()), set([
            "W: out of threads or memory: " + SLOWER,
            "W: too many connections without an association: the oldest are closed"]))


class NoRoom(object):
    """Threads, descriptors and memory run out: it slows down, says so once, never spins, and recovers."""

    def setUp(self):
        self.log = LogCapture(self, logging.WARNING)
        replace_name(self, "pool", "PRESSURE_PAUSE", 0.02)

    def test_threads_that_cannot_be_started_slow_accepting_and_it_recovers(self):
        server = serve(self)
        wait_until(lambda: server.pool.idle >= 2, "two wait")
        for error in (RuntimeError("can't start new thread"), MemoryError(), self.dul.ThreadError("no")):
            tried = []

            def fail(*_):
                tried.append(monotonic())
                raise error
            saved = replace_name(self, "pool", "start_new_thread", fail)
            held = [Peer(server.address) for _ in range(server.pool.idle + 3)]
            for peer in held:
                self.addCleanup(peer.close)
                peer.send(associate_rq())
            wait_until(lambda: len(tried) >= 8, "it is tried again")
            self.assertGreater(tried[7] - tried[3], 0.04)        # and not again and again
            replace_name(self, "pool", "start_new_thread", saved)
            self.assertEqual(set([peer.pdu()[:1] for peer in held]), set([b"\x02"]))      # by itself
        self.assertEqual(self.log.lines(), ["W: out of threads or memory: " + SLOWER])

    def test_a_thread_that_dies_before_its_first_statement_makes_the_server_not_deaf(self):
        started = []

        def start_nothing(function, arguments):
            started.append(function)
        saved = replace_name(self, "pool", "start_new_thread", start_nothing)
        server = serve(self)
        peer = Peer(server.address)
        self.addCleanup(peer.close)
        peer.send(associate_rq())
        wait_until(lambda: len(started) >= 3, "it is tried again")
        replace_name(self, "pool", "start_new_thread", saved)
        self.assertEqual(peer.pdu()[:1], b"\x02")
        good_echo(server.address)

    def refuse(self, *errors):
        """A server whose accept() raises each of these three times, and is not called too often."""
        server = serve(self)
        wait_until(lambda: server.pool.idle >= 2, "two wait")
        first = Peer(server.address)        # while it is served, no thread that comes to wait looks before its turn
        self.addCleanup(first.close)
        first.associate()
        calls, real = [], server.get_request
        for error in errors:
            del calls[:]

            def get_request():
                calls.append(monotonic())
                raise error
            server.get_request = get_request
            peer = Peer(server.address)         # wakes up who waits
            self.addCleanup(peer.close)
            peer.send(associate_rq())
            wait_until(lambda: len(calls) >= 3, "it is tried again")
            server.get_request = real
            self.assertGreater(calls[2] - calls[0], 0.02)
            self.assertEqual(peer.pdu()[:1], b"\x02")
        good_echo(server.address)

    def test_accept_without_descriptors_or_memory_does_not_spin_and_is_told_once(self):
        self.refuse(socket.error(errno.EMFILE, "Too many open files"), socket.error(errno.ENFILE, "Too many"),
                    socket.error(errno.ENOMEM, "No memory"), socket.error(errno.ENOBUFS, "No buffers"), MemoryError())
        self.assertEqual(self.log.lines(), ["W: out of file descriptors or memory (Too many open files): " + SLOWER])

    def test_each_error_of_accept_has_its_words(self):
        for error, words in ((MemoryError(), "out of file descriptors or memory (MemoryError): "),
                             (socket.error(errno.ENOMEM, "No memory"), "out of file descriptors or memory (No memory): "),
                             (socket.error(errno.EPERM, "Not permitted"), "cannot accept connections (Not permitted): ")):
            del self.log.records[:]
            self.refuse(error)
            self.assertEqual(self.log.lines(), ["W: " + words + SLOWER])

    def test_where_there_is_no_descriptor_more_the_oldest_without_an_association_is_closed(self):
        replace_name(self, "admission", "GRACE", 0.01)
        server = serve(self)
        with Peer(server.address) as good, Peer(server.address) as silent:
            good.associate()
            wait_until(lambda: len(server.admission.all()) == 2 and server.pool.idle, "both are served")
            real = server.get_request

            def get_request():
                if len(server.admission.all()) >= 2:
                    raise socket.error(errno.EMFILE, "Too many open files")
                return real()
            server.get_request = get_request
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate()[:1], b"\x02")
            self.assertEqual(silent.rest(), b"")
            self.assertEqual(good.send(echo_rq()).pdu(), echo_rsp())
        self.assertEqual(self.log.lines()[0], "W: out of file descriptors or memory (Too many open files): " + SLOWER)
        self.log.saw("closed here to make room for other peers")

    def test_a_thread_that_ends_without_memory_counts_no_more(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)

        def no_memory():
            replace_name(self, "pool", "get_ident", no_memory)
            raise MemoryError()
        ended = []
        server.pool.serve_one = no_memory
        self.dul.start_new_thread(lambda: (server.pool.run(), ended.append(1)), ())
        wait_until(lambda: ended, "it ends in an orderly way")
        self.assertEqual((server.pool.threads, server.pool.idle), (0, 0))

    def test_a_connection_that_is_gone_before_it_is_accepted_is_no_pressure(self):
        server = serve(self)
        wait_until(lambda: server.pool.idle >= 2, "two wait")
        real = server.get_request
        for code in (errno.ECONNABORTED, errno.ECONNRESET, errno.ENOTCONN, errno.EINTR):
            errors = [socket.error(code, "gone")] * 3

            def get_request():
                if errors:
                    raise errors.pop()
                return real()
            server.get_request = get_request
            good_echo(server.address)
            self.assertEqual(errors, [])
        self.assertEqual(self.log.lines(), [])

    def test_an_end_of_a_connection_ends_the_pause_of_accept(self):
        replace_name(self, "pool", "PRESSURE_PAUSE", 60.0)
        server = serve(self)
        wait_until(lambda: server.pool.idle >= 2, "two wait")
        held = Peer(server.address)
        self.addCleanup(held.close)
        held.associate()
        real, refused = server.get_request, []

        def get_request():
            refused.append(1)
            raise socket.error(errno.EMFILE, "Too many open files")
        server.get_request = get_request
        with Peer(server.address) as peer:
            wait_until(lambda: refused, "it is refused")
            server.get_request = real
            held.close()
            self.assertEqual(peer.associate()[:1], b"\x02")

    def test_a_fault_in_a_thread_ends_that_thread_alone(self):
        server = serve(self)
        good_echo(server.address)
        real = server.process_request

        def fail(request, address):
            request.close()
            raise KeyError("a fault")
        server.process_request = fail
        for _ in range(5):
            with Peer(server.address) as peer:
                self.assertEqual(peer.finish(), b"")
        server.process_request = real
        good_echo(server.address)
        wait_until(lambda: server.pool.idle == server.pool.threads, "the numbers are right")


class Stopping(object):
    """HandlerThreads.stop()."""

    def test_a_peer_that_never_reads_holds_a_stop_up_for_less_than_two_seconds(self):
        LogCapture(self, logging.CRITICAL)
        for sending in (False, True):
            server = serve(self, acse_timeout=0)
            peer = Peer(server.address, receive_buffer=2048)
            self.addCleanup(peer.close)
            peer.associate()
            if sending:
                connection = server.admission.all()[0]
                connection.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
                peer.sock.settimeout(0.2)
                try:
                    while True:
                        peer.send(echo_rq() * 100)
                except (socket.timeout, socket.error):
                    pass
            start = monotonic()
            server.stop()
            self.assertLess(monotonic() - start, 2)
            wait_until(lambda: not server.pool.threads, "its threads are gone")

    def test_nothing_is_left_of_a_server_that_was_stopped(self):
        with_a_patient_stop(self)
        before, threads = descriptors(), threading.active_count()
        server = serve(self)
        peers = [Peer(server.address) for _ in range(5)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.associate()
        start = monotonic()
        server.stop()
        self.assertLess(monotonic() - start, 5)     # and not when STOP_POLITELY is over
        self.assertEqual([peer.rest() for peer in peers], [abort(0, 0)] * 5)
        for peer in peers:
            peer.close()
        self.assertEqual((server.admission.all(), server.pool.threads, server.pool.idle, server.admission.established),
                         ([], 0, 0, 0))
        self.assertEqual(threading.active_count(), threads)
        self.assertEqual(descriptors(), before)
        server.stop()       # a second time
        self.assertRaises(socket.error, Peer, server.address)

    def test_a_stop_that_comes_before_threads_are_started_is_orderly(self):
        for moment in ("grow", "sleep"):
            server = self.dul.EchoServer(port=0)
            owner = server.pool if moment == "grow" else server
            real = getattr(owner, moment)
            setattr(owner, moment, lambda *rest: (server.request_stop(), real(*rest))[1])
            server.serve_forever()
            server.server_close()
            wait_until(lambda: not server.pool.threads, "its threads are gone")

    def test_a_connection_that_comes_in_a_stop_is_aborted_too(self):
        server = serve(self)
        peer = Peer(server.address)
        self.addCleanup(peer.close)
        wait_until(lambda: server.admission.all(), "it is accepted")
        server.stop()
        self.assertEqual(peer.rest(), b"")


for each in (Threads, Growing):
    both_forms(each)
for each in (NoRoom, Stopping):
    at_length(each)

if __name__ == "__main__":
    unittest.main()
