"""EchoServer in somebody else's program: listening, settings, start, stop."""
import errno
import logging
import os
import select
import socket
import sys
import threading
import unittest

from support import (
    LogCapture, Recorder, both_forms, descriptors, good_echo, listening_socket, monotonic, replace, replace_name, serve,
    skip_in_wine, wait_until, with_a_patient_stop, without_kernel_timeouts)
from wire import BIG, IMPLICIT, LITTLE, Peer, abort, associate_rq, context, echo_rq


def begin(function, *arguments):
    """A new thread that calls this."""
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


def has_ipv6():
    """Whether this host has IPv6."""
    if not socket.has_ipv6:
        return False
    try:
        sock = socket.socket(socket.AF_INET6)
        try:
            sock.bind(("::1", 0))
            return True
        finally:
            sock.close()
    except (socket.error, OSError):
        return False


class Life(object):
    """Start and stop."""

    def test_a_context_manager_is_all_that_is_needed(self):
        with self.dul.EchoServer(port=0) as server:
            address = server.address
            self.assertEqual(address[0], "127.0.0.1")
            good_echo(address)
        self.assertRaises(socket.error, Peer, address)

    def test_a_context_manager_takes_a_server_that_was_started(self):
        with self.dul.EchoServer(port=0).start() as server:
            good_echo(server.address)
        self.assertRaises(socket.error, Peer, server.address)

    def test_it_can_be_started_once(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)
        self.assertIs(server.start(), server)
        with self.assertRaises(RuntimeError) as caught:
            server.start()
        self.assertEqual(str(caught.exception), "an EchoServer can be started once")
        good_echo(server.address)
        server.stop()
        self.assertRaises(RuntimeError, server.start)
        self.assertRaises(RuntimeError, server.__enter__)
        never = self.dul.EchoServer(port=0)
        never.stop()
        self.assertRaises(RuntimeError, never.start)

    def test_a_start_that_fails_can_be_stopped(self):
        server = self.dul.EchoServer(port=0)

        def fail(_):
            raise RuntimeError("can't start new thread")
        saved = replace(self, threading.Thread, "start", fail)
        self.assertRaises(RuntimeError, server.start)
        threading.Thread.start = saved
        server.stop()
        self.assertRaises(socket.error, Peer, server.address)

    def test_stop_may_be_called_at_any_time_and_twice(self):
        before = descriptors()
        for _ in range(5):
            server = self.dul.EchoServer(port=0).start()
            server.stop()
            server.stop()
            self.assertEqual(descriptors(), before)
        server = self.dul.EchoServer(port=0)
        server.stop()
        server.stop()
        self.assertEqual(descriptors(), before)

    def test_a_callback_may_stop_the_server(self):
        replace_name(self, "pool", "STOP_POLITELY", 0.05)    # it waits for all threads, and so for the one that stops it
        replace_name(self, "pool", "STOP_LIMIT", 0.1)
        for kind in ("connected", "echoed"):
            took = []

            def stop(notice):
                if notice.kind == kind:
                    start = monotonic()
                    server.stop()
                    took.append(monotonic() - start)
            server = serve(self, on_event=stop)
            with Peer(server.address) as peer:
                peer.send(associate_rq() + echo_rq()).rest()
            wait_until(lambda: not server.pool.threads, "its threads are gone")
            self.assertLess(took[0], 2)
            self.assertRaises(socket.error, Peer, server.address)

    def test_a_log_handler_may_stop_the_server_from_the_thread_that_serves(self):
        server = serve(self)
        thread, stopped = server.thread, []

        def summarize():
            server.stop()
            stopped.append(threading.current_thread())
        server.log.summarize = summarize
        server.log.limit.pause = lambda: 0
        server.wake()
        thread.join(20)
        self.assertEqual((thread.is_alive(), stopped[0]), (False, thread))
        server.stop()           # and again, from outside

    def test_it_serves_in_the_callers_thread_too(self):
        server = self.dul.EchoServer(port=0)
        thread = begin(server.serve_forever)
        good_echo(server.address)
        server.shutdown()
        server.server_close()
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_a_poll_interval_is_how_often_it_looks(self):
        server = self.dul.EchoServer(port=0)
        waits = []
        real = server.sleep

        def sleep(seconds):
            waits.append(seconds)
            if len(waits) > 5:
                server.stopping = True      # as where nothing wakes a thread that waits
            real(seconds)
        server.sleep = sleep
        server.serve_forever(0.01)
        server.server_close()
        self.assertEqual(set(waits), set([0.01]))

    def test_it_sleeps_until_it_is_woken(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)
        begin(server.serve_forever, None)
        wait_until(lambda: server.pool.idle >= 2 and server.wake_reader.gettimeout() is None, "it sleeps for good")
        calls = []
        real = server.pool.grow
        server.pool.grow = lambda: (calls.append(1), real())[1]
        threading.Event().wait(0.1)
        self.assertEqual(calls, [])
        server.wake()
        wait_until(lambda: calls, "it looks")

    def test_where_what_wakes_it_can_be_lost_it_looks_for_its_end(self):
        class Deaf(object):
            """A socket that two threads send on at once, in Wine: what one of them sends is lost."""

            def send(self, data):
                raise socket.error(errno.EAGAIN, "not now")

            def close(self):
                """Nothing."""
        for interval in [(0.05,)] + [()] * (os.name == "nt"):     # there by default
            server = self.dul.EchoServer(port=0)
            self.addCleanup(server.wake_writer.close)
            thread = begin(server.serve_forever, *interval)
            wait_until(lambda: server.pool.idle >= 2 and server.wake_reader.gettimeout(), "it sleeps")
            good_echo(server.address)
            server.wake_writer = Deaf()
            server.stop()
            thread.join(20)
            self.assertFalse(thread.is_alive())

    def test_wake_and_request_stop_never_block_or_raise(self):
        server = self.dul.EchoServer(port=0)
        for _ in range(100000):
            server.wake()               # more than the pair of sockets takes, and nobody reads
        server.request_stop()
        server.serve_forever()
        server.server_close()
        server.wake()
        server.request_stop()

    def test_a_sleep_survives_a_signal_and_no_other_error(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)

        class Bell(object):
            """Raises an error."""

            def settimeout(self, seconds):
                """Nothing."""

            def recv(self, most):
                raise error

            def close(self):
                """Nothing."""
        real = server.wake_reader
        server.wake_reader = Bell()
        for error in (socket.error(errno.EINTR, "no"), MemoryError(), socket.timeout("timed out")):
            server.sleep(1)
        error = socket.error(errno.ENOMEM, "no")
        self.assertRaises(socket.error, server.sleep, 1)
        server.wake_reader = real
        server.sleep(0)         # nothing has woken it

    def test_the_threads_have_the_name_of_the_program_and_hold_no_interpreter_up(self):
        server = serve(self)
        self.assertEqual((server.thread.name, server.thread.daemon), ("echoscp", True))

    def test_two_servers_are_two(self):
        one, two = serve(self, ae_title="ONE"), serve(self, ae_title="TWO", maximum_length=1024)
        self.assertNotEqual(one.address, two.address)
        for server, maximum in ((one, b"\0\0\x40\0"), (two, b"\0\0\4\0")):
            with Peer(server.address) as peer:
                self.assertIn(b"\x51\0\0\4" + maximum, peer.associate())
        self.assertEqual((one.settings.ae_title, two.settings.ae_title), ("ONE", "TWO"))
        self.assertEqual((one.admission.number, two.admission.number), (1, 1))


class Settings(object):
    """What EchoServer takes."""

    def test_settings_out_of_range_are_refused(self):
        for setting in ({"ae_title": ""}, {"ae_title": "X" * 17}, {"maximum_length": 127}, {"maximum_length": 2 ** 32},
                        {"timeout": -1}, {"acse_timeout": 2 ** 32}, {"dimse_timeout": -5}):
            self.assertRaises(ValueError, self.dul.EchoServer, port=0, **setting)
        self.assertRaises(TypeError, self.dul.EchoServer, port=0, no_such_setting=1)
        self.assertRaises((TypeError, UnicodeError), self.dul.EchoServer, port=0, transfer_syntaxes=[u"1.2.840.10008.1.2\u0661"])
        server = self.dul.EchoServer(port=0, maximum_length=16384.0)
        server.stop()
        self.assertEqual(repr(server.settings.maximum_length), "16384")

    def test_a_port_out_of_range_is_a_value_error(self):
        for port in (-1, 65536, 70000):
            with self.assertRaises(ValueError) as caught:
                self.dul.EchoServer(port=port)
            self.assertEqual(str(caught.exception), "port %d is not allowed: 0 (one that is free) to 65535" % port)

    def test_the_largest_port_is_allowed(self):
        try:
            server = self.dul.EchoServer(port=65535)
        except socket.error as error:
            if error.errno in self.dul.IN_USE:
                self.skipTest("another program listens there")
            raise
        server.stop()
        self.assertEqual(server.server_address[1], 65535)

    def test_the_default_syntaxes_prefer_the_hosts_byte_order(self):
        due = [LITTLE, BIG, IMPLICIT] if sys.byteorder == "little" else [BIG, LITTLE, IMPLICIT]
        server = self.dul.EchoServer()
        server.stop()
        self.assertEqual(list(server.settings.transfer_syntaxes), due)
        server = self.dul.EchoServer(transfer_syntaxes=[IMPLICIT])
        server.stop()
        self.assertEqual(list(server.settings.transfer_syntaxes), [IMPLICIT])

    def test_the_limit_of_associations_has_a_default(self):
        server = self.dul.EchoServer()
        server.stop()
        self.assertEqual((server.admission.most, server.request_queue_size), (4096, 8192))

    def test_the_default_timeout_of_the_program_does_not_delay_a_deadline_or_end_a_wait(self):
        for default in (5, 0.05):
            socket.setdefaulttimeout(default)
            try:
                server = serve(self, acse_timeout=0.8)
                recorder = Recorder()
                server.listeners.append(lambda *fact: recorder.notices.append(fact))
                start = monotonic()
                with Peer(server.address) as peer, Peer(server.address) as other:
                    self.assertEqual(other.associate()[:1], b"\x02")
                    self.assertEqual(peer.rest(), b"")
                    self.assertTrue(0.7 < monotonic() - start < 4.5)
                    wait_until(lambda: len(server.admission.all()) < 2, "it is over")
                    self.assertEqual(server.admission.established, 1)   # and the other one still there
                threading.Event().wait(0.06)
                good_echo(server.address)
            finally:
                socket.setdefaulttimeout(None)


class Listening(object):
    """Which addresses, and which socket."""

    def test_a_port_in_use_is_a_socket_error_and_leaves_nothing_open(self):
        server = serve(self)
        before = descriptors()
        with self.assertRaises(socket.error) as caught:
            self.dul.EchoServer(port=server.address[1])
        code = caught.exception.errno
        del caught
        wait_until(lambda: before is None or descriptors() <= before, "nothing of it is open")
        skip_in_wine("has another number for a port in use")
        self.assertIn(code, self.dul.IN_USE)

    def test_a_port_can_be_had_again_at_once(self):
        with self.dul.EchoServer(port=0) as server:
            port = server.address[1]
            peer = Peer(server.address)
            self.addCleanup(peer.close)
            peer.associate()
        with self.dul.EchoServer(port=port) as server:
            good_echo(server.address)

    def test_a_host_that_is_none_is_a_socket_error(self):
        self.assertRaises(socket.error, self.dul.EchoServer, host="no-such-host.invalid")

    def test_one_address_is_listened_on_where_one_is_given(self):
        for host in ["127.0.0.1", "localhost"] + (["::1"] if has_ipv6() else []):
            server = serve(self, host=host)
            good_echo(server.address)
            self.assertEqual(server.address, server.server_address[:2])
        self.assertEqual(serve(self, host="127.0.0.1").socket.family, socket.AF_INET)

    def test_both_families_are_listened_on_where_the_host_has_both(self):
        if not has_ipv6():
            self.skipTest("there is no IPv6 here")
        recorder = Recorder()
        server = serve(self, on_event=recorder)
        port = server.address[1]
        good_echo(("127.0.0.1", port))
        good_echo(("::1", port))
        peers = [notice.peer for notice in recorder.ends(2) if notice.kind == "connected"]
        self.assertRegex(peers[0], r"^127\.0\.0\.1:\d+$")
        self.assertRegex(peers[1], r"^\[::1\]:\d+$")

    def test_both_families_are_listened_on_where_a_socket_of_ipv6_has_ipv6_alone_at_first(self):
        if not has_ipv6() or not hasattr(socket, "IPV6_V6ONLY") or not hasattr(socket, "IPPROTO_IPV6"):
            self.skipTest("there is no IPv6 here")
        real = socket.socket

        def made(family=socket.AF_INET, *rest, **more):
            sock = real(family, *rest, **more)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            return sock
        replace(self, socket, "socket", made)
        server = self.dul.EchoServer(port=0)
        socket.socket = real
        self.addCleanup(server.stop)
        server.start()
        good_echo(("127.0.0.1", server.address[1]))
        good_echo(("::1", server.address[1]))

    def only_ipv4(self):
        server = serve(self)
        self.assertEqual(server.socket.family, socket.AF_INET)
        self.assertEqual(server.server_address[0], "0.0.0.0")
        good_echo(server.address)

    def test_a_python_without_ipv6_listens_on_ipv4(self):
        replace(self, socket, "has_ipv6", False)
        hosts, real = [], socket.getaddrinfo
        replace(self, socket, "getaddrinfo", lambda host, *rest: (hosts.append(host), real(host, *rest))[1])
        self.only_ipv4()
        self.assertEqual(hosts[0], "0.0.0.0")       # an empty one may be of either family

    def test_a_python_without_the_option_for_both_listens_on_ipv4(self):
        for name in ("IPV6_V6ONLY", "IPPROTO_IPV6"):
            if hasattr(socket, name):
                saved = replace(self, socket, name, None)
                self.only_ipv4()
                setattr(socket, name, saved)

    def test_a_host_that_refuses_ipv6_listens_on_ipv4(self):
        if not hasattr(socket, "IPV6_V6ONLY"):
            self.skipTest("this Python has no IPv6")
        owner = self.dul.socketserver.TCPServer
        real = owner.server_bind
        for code in ("EAFNOSUPPORT", "EADDRNOTAVAIL", "EPROTONOSUPPORT", "EINVAL", "ENOPROTOOPT"):
            def server_bind(server):
                if server.address_family == socket.AF_INET6:
                    raise socket.error(getattr(errno, code), "no IPv6")
                real(server)
            saved = replace(self, owner, "server_bind", server_bind)
            self.only_ipv4()
            owner.server_bind = saved

    def test_what_both_families_refuse_is_raised(self):
        for code in (errno.EADDRNOTAVAIL, errno.EACCES):
            asked = []

            def server_bind(server):
                asked.append(server.address_family)
                raise socket.error(code, "no")
            saved = replace(self, self.dul.socketserver.TCPServer, "server_bind", server_bind)
            with self.assertRaises(socket.error) as caught:
                self.dul.EchoServer(port=0)
            self.assertEqual(caught.exception.errno, code)
            self.dul.socketserver.TCPServer.server_bind = saved
            if has_ipv6():
                self.assertEqual(len(asked), 2 if code == errno.EADDRNOTAVAIL else 1)

    def test_exclusive_addresses_are_used_where_the_system_has_them(self):
        if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            socket.SO_EXCLUSIVEADDRUSE = socket.SO_REUSEADDR    # another name for a number that works here
            self.addCleanup(delattr, socket, "SO_EXCLUSIVEADDRUSE")
        replace(self, self.dul.EchoServer, "allow_reuse_address", False)
        server = serve(self)
        self.assertTrue(server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE))
        good_echo(server.address)

    def test_a_python_without_socketpair_serves(self):
        if hasattr(socket, "socketpair"):
            replace(self, socket, "socketpair", None)
        before = descriptors()
        server = serve(self)
        good_echo(server.address)
        server.stop()
        self.assertEqual(descriptors(), before)

    def test_a_system_without_poll_serves(self):
        if hasattr(select, "poll"):
            replace(self, select, "poll", None)
        with_a_patient_stop(self)
        before = threading.active_count()
        server = serve(self)
        good_echo(server.address)
        with Peer(server.address) as peer:
            peer.associate()
            start = monotonic()
            server.stop()
            self.assertLess(monotonic() - start, 5)     # and not when STOP_POLITELY is over
            self.assertEqual(peer.rest(), abort(0, 0))
        wait_until(lambda: threading.active_count() <= before, "its threads are gone")

    def test_a_system_without_kernel_timeouts_serves(self):
        without_kernel_timeouts(self)
        server = serve(self, acse_timeout=1, dimse_timeout=1)
        good_echo(server.address)
        start = monotonic()
        with Peer(server.address) as half, Peer(server.address) as whole:
            half.send(associate_rq()[:22])
            self.assertEqual(whole.associate()[:1], b"\x02")
            self.assertEqual((half.read(10), whole.read(10)), (b"", abort(0, 0)))
            self.assertTrue(0.95 < monotonic() - start < 10)

    def test_a_system_whose_shutdown_wakes_nobody_serves_and_stops(self):
        replace_name(self, "transport", "SHUTDOWN_WAKES", False)

        def interrupt(transport, sending=False):
            """Wakes nobody."""
        replace(self, self.dul.Transport, "interrupt", interrupt)
        with_a_patient_stop(self)
        without_kernel_timeouts(self)
        server = serve(self)
        good_echo(server.address)
        with Peer(server.address) as peer, Peer(server.address) as silent:
            peer.associate()
            peer.send(echo_rq()).pdu()
            wait_until(lambda: server.admission.number == 3 and len(server.admission.all()) == 2, "both are served")
            start = monotonic()
            server.stop()
            self.assertLess(monotonic() - start, 5)     # and not when STOP_POLITELY is over
            self.assertEqual((peer.rest(), silent.rest()), (abort(0, 0), b""))


class HandedOver(object):
    """A listening socket of the caller's own."""

    def test_it_is_used_and_left_listening_for_the_next_server(self):
        listener = listening_socket(self)
        for _ in range(3):
            with self.dul.EchoServer(listener=listener) as server:
                self.assertEqual(server.address, listener.getsockname())
                good_echo(server.address)
        peer = Peer(listener.getsockname())
        self.addCleanup(peer.close)
        accepted = listener.accept()[0]
        accepted.close()

    def test_its_timeout_is_what_it_was(self):
        listener = listening_socket(self)
        for timeout in (None, 5.0, 0.25, 0.0):
            listener.settimeout(timeout)
            server = self.dul.EchoServer(listener=listener).start()
            good_echo(server.address)
            server.stop()
            self.assertEqual(listener.gettimeout(), timeout)
            server.stop()
            self.assertEqual(listener.gettimeout(), timeout)

    def test_its_open_file_is_blocking_or_not_as_it_was(self):
        try:
            import fcntl
        except ImportError:
            raise unittest.SkipTest("there is no fcntl here")
        listener = listening_socket(self)
        for flag in (0, os.O_NONBLOCK):
            before = fcntl.fcntl(listener.fileno(), fcntl.F_GETFL) & ~os.O_NONBLOCK | flag
            fcntl.fcntl(listener.fileno(), fcntl.F_SETFL, before)
            with self.dul.EchoServer(listener=listener) as server:
                good_echo(server.address)
                wait_until(lambda: fcntl.fcntl(listener.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK, "it cannot block")
            self.assertEqual(fcntl.fcntl(listener.fileno(), fcntl.F_GETFL), before)
            listener.settimeout(None)

    def test_one_with_a_timeout_serves_at_once_and_without_pressure(self):
        log = LogCapture(self, logging.WARNING)
        for timeout in (0.01, 0.0, 5.0):
            listener = listening_socket(self)
            listener.settimeout(timeout)
            server = serve(self, listener=listener)
            threading.Event().wait(0.03)    # longer than the shortest
            start = monotonic()
            good_echo(server.address)
            self.assertLess(monotonic() - start, 4)
        self.assertEqual(log.lines(), [])

    def test_a_stop_ends_though_it_was_closed_meanwhile(self):
        listener = listening_socket(self)
        server = self.dul.EchoServer(listener=listener)

        def serve_forever():
            try:
                server.serve_forever()
            except (socket.error, ValueError):      # that it is closed, where the Python tells it
                pass
        thread = begin(serve_forever)
        good_echo(server.address)
        listener.close()
        server.stop()
        thread.join(20)
        self.assertFalse(thread.is_alive())

    def test_a_server_that_never_served_leaves_it_too(self):
        listener = listening_socket(self)
        self.dul.EchoServer(listener=listener).stop()
        with self.dul.EchoServer(listener=listener) as server:
            good_echo(server.address)

    def test_another_process_may_take_the_connection_first(self):
        listener = listening_socket(self)
        server = serve(self, listener=listener)
        wait_until(lambda: server.pool.idle >= 2, "it waits")
        real, errors = server.get_request, [socket.error(code, "not now") for code in self.dul.NOT_NOW]
        log = LogCapture(self, logging.WARNING)

        def get_request():
            if errors:
                raise errors.pop()
            return real()
        server.get_request = get_request
        good_echo(server.address)
        self.assertEqual((errors, log.lines()), ([], []))

    def test_one_of_ipv6_is_used(self):
        if not has_ipv6():
            self.skipTest("there is no IPv6 here")
        listener = socket.socket(socket.AF_INET6)
        self.addCleanup(listener.close)
        listener.bind(("::1", 0))
        listener.listen(5)
        server = serve(self, listener=listener)
        self.assertEqual(server.address, listener.getsockname()[:2])
        good_echo(server.address)


class Answers(object):
    """What it is all about, once more from the outside."""

    def test_contexts_are_answered_by_the_settings_of_the_server(self):
        for syntaxes, due in (([IMPLICIT], IMPLICIT), ([BIG, LITTLE], BIG)):
            server = serve(self, transfer_syntaxes=syntaxes)
            with Peer(server.address) as peer:
                answer = peer.associate([context(1, transfers=(IMPLICIT, LITTLE, BIG))])
            self.assertIn(b"\x40\0" + (b"\0\x11" if due == IMPLICIT else b"\0\x13") + due, answer)


for each in (Life, Settings, Listening, HandedOver, Answers):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
