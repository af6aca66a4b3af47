"""Each thing that only some systems have, taken away."""
import errno
import os
import signal
import socket
import sys
import threading
import unittest

from support import both_forms, monotonic, serve, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp


class TakenAway(object):
    """The program goes on without it."""

    def replace(self, owner, name, value):
        """Put something else in its place for one test; None takes it away."""
        saved = getattr(owner, name)
        self.addCleanup(setattr, owner, name, saved)
        if value is None:
            delattr(owner, name)
        else:
            setattr(owner, name, value)

    def constant(self, module, name, value):
        """Another value of a constant, in the module of dul/ that uses it, or in the one file."""
        self.replace(self.dul if self.dul.FORM == "one file" else sys.modules["dul." + module], name, value)

    def echo(self, server):
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
            self.assertEqual(peer.finish(), b"")

    def test_kernel_timeouts(self):
        self.constant("compat", "KERNEL_TIMEOUTS", False)
        self.constant("transport", "KERNEL_TIMEOUTS", False)
        server = serve(self, acse_timeout=0.5, dimse_timeout=0.5)
        self.echo(server)
        start = monotonic()
        with Peer(server.address) as half, Peer(server.address) as whole:
            half.send(associate_rq()[:22])
            self.assertEqual(whole.associate()[:1], b"\x02")
            self.assertEqual((half.read(10), whole.read(10)), (b"", abort(0, 0)))
            self.assertTrue(0.4 < monotonic() - start < 1.0)

    def test_a_shutdown_that_wakes_accept(self):
        self.constant("server", "closing_wakes_accept", lambda listener: False)
        before = threading.active_count()
        server = serve(self)
        self.echo(server)
        with Peer(server.address) as peer:
            peer.associate()
            start = monotonic()
            server.stop()
            self.assertLess(monotonic() - start, 2)
            self.assertEqual(peer.rest(), abort(0, 0))
        wait_until(lambda: threading.active_count() <= before, "its threads are gone")

    def test_socketpair(self):
        if hasattr(socket, "socketpair"):
            self.replace(socket, "socketpair", None)
        one, other = self.dul.socket_pair()
        one.sendall(b"x")
        self.assertEqual(other.recv(1), b"x")
        one.close()
        other.close()
        self.echo(serve(self))

    def test_ipv6_and_the_option_for_both(self):
        for name in ("IPV6_V6ONLY", "IPPROTO_IPV6"):
            if hasattr(socket, name):
                saved = getattr(socket, name)
                delattr(socket, name)
                try:
                    listener = self.dul.open_listener("", 0)
                finally:
                    setattr(socket, name, saved)
                self.assertEqual(listener.family, socket.AF_INET)
                listener.close()

    def test_exclusive_addresses(self):
        if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            socket.SO_EXCLUSIVEADDRUSE = socket.SO_REUSEADDR    # Windows has it: another name for a number that works here
            self.addCleanup(delattr, socket, "SO_EXCLUSIVEADDRUSE")
        self.echo(serve(self))

    def test_the_resource_module(self):
        saved = sys.modules.get("resource")
        sys.modules["resource"] = None
        try:
            self.dul.raise_file_limit()
        finally:
            if saved is None:
                del sys.modules["resource"]
            else:
                sys.modules["resource"] = saved

    def test_unix_sockets(self):
        if hasattr(socket, "AF_UNIX"):
            self.replace(socket, "AF_UNIX", None)
        self.dul.notify({"NOTIFY_SOCKET": "/run/notify"}, "READY=1")

    def test_sighup_and_a_wakeup_socket(self):
        if hasattr(signal, "SIGHUP"):
            self.replace(signal, "SIGHUP", None)
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.server_close)
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def no_sockets(number):
            raise ValueError("no sockets here")
        self.replace(signal, "set_wakeup_fd", no_sockets)
        received = []

        def stop(number, _):
            received.append(number)
            server.request_stop()
        try:
            self.dul.catch_signals(server, stop)
            os.kill(os.getpid(), signal.SIGTERM)
            server.serve_forever(0.5)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.assertEqual(received, [signal.SIGTERM])

    def test_the_size_of_a_stack(self):
        self.replace(threading, "stack_size", lambda *size: 0)
        self.echo(serve(self))

    def test_processor_affinity(self):
        if hasattr(os, "sched_getaffinity"):
            self.replace(os, "sched_getaffinity", None)
        self.assertEqual(self.dul.find_steward().processors, set())

    def test_socket_options_that_a_system_refuses(self):
        class Refusing(object):
            def __init__(self, sock):
                self.sock = sock

            def setsockopt(self, *_):
                raise socket.error(errno.EINVAL, "Invalid argument")

            def __getattr__(self, name):
                return getattr(self.sock, name)
        one, other = self.dul.socket_pair()
        transport = self.dul.Transport(Refusing(one), 5)
        other.sendall(b"hello")
        self.assertEqual(transport.receive(10), b"hello")
        transport.close()
        other.close()


class Binding(object):
    """The steward, without a processor to bind to."""

    def steward(self, looks):
        """A Steward that sees these (seconds of ours, {processor: busy}) one after another, a second apart."""
        steward = self.dul.Steward({0, 1})
        moments = iter([(float(number), ours, busy) for number, (ours, busy) in enumerate(looks)])
        steward.bound_to = []

        def bind(processor):
            steward.bound = processor
            steward.bound_to.append(processor)
        steward.bind = bind
        owner = self.dul if self.dul.FORM == "one file" else sys.modules["dul.steward"]
        saved, owner.measure = owner.measure, lambda processors: next(moments)
        self.addCleanup(setattr, owner, "measure", saved)
        steward.last = owner.measure({0, 1})
        for number in range(1, len(looks)):
            steward.look(float(number))
        return steward

    def test_it_binds_while_there_is_work_and_room_and_lets_go_after(self):
        quiet = [(2.0 + n / 100.0, {0: 2.0, 1: 1.5}) for n in range(5)]
        steward = self.steward([(0.0, {0: 0.0, 1: 0.0}), (0.9, {0: 0.8, 1: 0.7})] + [(1.8, {0: 1.0, 1: 1.6})] + quiet)
        self.assertEqual(steward.bound_to[0], 1)
        self.assertIsNone(steward.bound)
        self.assertFalse(steward.awake)

    def test_it_does_not_bind_where_other_programs_leave_no_room(self):
        steward = self.steward([(0.0, {0: 0.0, 1: 0.0}), (0.5, {0: 1.0, 1: 1.0}), (1.0, {0: 2.0, 1: 2.0})])
        self.assertEqual(steward.bound_to, [])

    def test_it_moves_or_gives_up_where_another_program_wants_the_processor(self):
        steward = self.steward([(0.0, {0: 0.0, 1: 0.0}), (0.9, {0: 0.6, 1: 0.9}), (1.4, {0: 1.6, 1: 1.0})])
        self.assertEqual(steward.bound_to, [0, 1])
        steward = self.steward([(0.0, {0: 0.0, 1: 0.0}), (0.9, {0: 0.6, 1: 0.9}), (1.4, {0: 1.6, 1: 1.9}),
                                (1.9, {0: 2.6, 1: 2.0})])
        self.assertEqual(steward.bound_to, [0, None])       # and not again at once, though there is room now

    def test_a_look_that_fails_harms_nothing(self):
        owner = self.dul if self.dul.FORM == "one file" else sys.modules["dul.steward"]
        for error in (OSError(errno.EMFILE, "Too many open files"), KeyError(1)):
            def fail(processors):
                raise error
            saved, owner.measure = owner.measure, fail
            try:
                steward = self.dul.Steward({0, 1})
                steward.called = True
                self.assertTrue(0 < steward.tick() <= 0.25)
            finally:
                owner.measure = saved

    def test_with_one_processor_or_in_a_free_threaded_build_it_binds_to_none(self):
        owner = self.dul if self.dul.FORM == "one file" else sys.modules["dul.steward"]
        saved, owner.ONE_THREAD_AT_A_TIME = owner.ONE_THREAD_AT_A_TIME, False
        try:
            self.assertEqual(self.dul.find_steward().processors, set())
        finally:
            owner.ONE_THREAD_AT_A_TIME = saved
        if hasattr(os, "sched_getaffinity"):
            saved, os.sched_getaffinity = os.sched_getaffinity, lambda pid: {0}
            try:
                steward = self.dul.find_steward()
                steward.called = True
                self.assertEqual((steward.processors, steward.tick()), (set(), None))
            finally:
                os.sched_getaffinity = saved


class Crowd(object):
    """How long a thread may run while others wait."""

    def test_it_grows_with_the_number_of_threads(self):
        if not hasattr(sys, "setswitchinterval"):
            self.skipTest("this Python has another way to take turns")
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        for threads, interval in ((0, 0.005), (16, 0.005), (130, 0.026), (1000, 0.2), (4096, 0.25)):
            self.dul.Steward(set()).crowd(threads)
            self.assertAlmostEqual(sys.getswitchinterval(), interval, 3)

    def test_a_program_that_embeds_the_server_keeps_its_own(self):
        if not hasattr(sys, "setswitchinterval"):
            self.skipTest("this Python has another way to take turns")
        before = sys.getswitchinterval()
        server = serve(self)
        peers = [Peer(server.address) for _ in range(60)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.associate()
        self.assertGreater(server.threads, 50)
        self.assertEqual(sys.getswitchinterval(), before)


both_forms(TakenAway)
both_forms(Binding)
both_forms(Crowd)

if __name__ == "__main__":
    unittest.main()
