"""The only tests of the Python version and the platform, with each thing that only some systems have taken away."""
import errno
import io
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import unittest

from support import ROOT, both_forms, descriptors, replace, replace_name, skip_loudly

with io.open(os.path.join(ROOT, "dul", "compat.py"), encoding="ascii") as SOURCE:
    CODE = compile(SOURCE.read(), "compat.py", "exec")


class Elsewhere(unittest.TestCase):
    """compat on systems and Pythons that this one is not: its source, run where something is missing or another."""

    def compat(self, name="dul.compat", **platform):
        """The names of the module; ``platform``: ``os_name``, ``sys_platform``, ``long``, ``without_monotonic``, ``missing``."""
        saved = os.name, sys.platform, struct.calcsize, getattr(time, "monotonic", None), getattr(time, "clock", None)
        missing = dict((each, sys.modules.get(each)) for each in platform.get("missing", ()))
        try:
            os.name = platform.get("os_name", os.name)
            sys.platform = platform.get("sys_platform", sys.platform)
            struct.calcsize = lambda kind: platform.get("long", saved[2](kind))
            for each in missing:
                sys.modules[each] = None
            if platform.get("without_monotonic"):
                if saved[3]:
                    del time.monotonic
                time.clock = lambda: 4711.0
            names = {"__name__": name}
            exec(CODE, names)
            return names
        finally:
            os.name, sys.platform, struct.calcsize = saved[:3]
            if saved[3]:
                time.monotonic = saved[3]
            if saved[4]:
                time.clock = saved[4]
            elif hasattr(time, "clock"):
                del time.clock
            for each, module in missing.items():
                if module is None:
                    del sys.modules[each]
                else:
                    sys.modules[each] = module

    def test_the_clock_is_the_best_that_a_python_has(self):
        if hasattr(time, "monotonic"):
            self.assertIs(self.compat()["monotonic"], time.monotonic)
        self.assertEqual(self.compat(os_name="nt", without_monotonic=True)["monotonic"](), 4711.0)
        clock = self.compat(os_name="posix", without_monotonic=True)["monotonic"]
        self.assertTrue(clock() <= os.times()[4] <= clock() + 5)

    def test_timeouts_of_the_kernel_are_those_of_linux_with_64_bits(self):
        for platform, size, due in (("linux", 8, True), ("linux2", 8, True), ("linux", 4, False), ("darwin", 8, False),
                                    ("win32", 8, False)):
            self.assertEqual(self.compat(sys_platform=platform, long=size)["KERNEL_TIMEOUTS"], due)

    def test_windows_is_another_system(self):
        windows, posix = self.compat(os_name="nt"), self.compat(os_name="posix")
        self.assertEqual((windows["WINDOWS"], posix["WINDOWS"]), (True, False))
        self.assertEqual((windows["SHUTDOWN_WAKES"], posix["SHUTDOWN_WAKES"]), (False, True))
        self.assertEqual((windows["POLL_INTERVAL"], posix["POLL_INTERVAL"]), (0.5, None))

    def test_a_python_without_socketserver_says_what_to_install(self):
        missing = ("SocketServer",) if sys.version_info[0] == 2 else ("socketserver",)
        with self.assertRaises(SystemExit) as caught:
            self.compat("__main__", missing=missing)
        words = "this Python has no module socketserver: install Debian's package libpython3-stdlib or its like"
        self.assertEqual(caught.exception.code, "echoscp.py: " + words)
        with self.assertRaises(ImportError) as caught:
            self.compat(missing=missing)
        self.assertEqual(str(caught.exception), words)

    def test_a_python_without_mmap_is_enough(self):
        self.assertIsNone(self.compat(missing=("mmap",))["mmap"])

    def test_the_hosts_byte_order_is_preferred(self):
        first = self.compat()["PREFER_LOCAL"][0]
        self.assertEqual(first, b"1.2.840.10008.1.2.1" if sys.byteorder == "little" else b"1.2.840.10008.1.2.2")


class Here(object):
    """The functions of compat, with features taken away."""

    def pair(self):
        one, other = self.dul.socket_pair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        return one, other

    def test_a_python_without_unix_sockets_tells_no_service_manager(self):
        if hasattr(socket, "AF_UNIX"):
            replace(self, socket, "AF_UNIX", None)
        self.dul.notify({"NOTIFY_SOCKET": "/run/notify"}, "READY=1")

    def test_numbers_of_errors_include_those_of_windows_sockets(self):
        for name in ("WSAEINTR", "WSAENOSUCH"):
            if not hasattr(errno, name):
                setattr(errno, name, 10004)
                self.addCleanup(delattr, errno, name)
        self.assertEqual(self.dul.codes_of("EINTR", "ENOSUCH"), (errno.EINTR, 10004, 10004))
        self.assertEqual(self.dul.codes_of("EMISSING"), ())
        for names, due in (("INTERRUPTED", ["EINTR"]), ("NOT_NOW", ["EAGAIN", "EWOULDBLOCK"]),
                           ("CLOSED_BY_PEER", ["ECONNRESET", "EPIPE", "ECONNABORTED"]),
                           ("OUT_OF_RESOURCES", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]),
                           ("NOT_PERMITTED", ["EACCES", "EPERM"]), ("IN_USE", ["EADDRINUSE"])):
            for name in due:
                self.assertIn(getattr(errno, name), getattr(self.dul, names))

    def check_pair(self):
        before = descriptors()
        one, other = self.dul.socket_pair()
        for sender, receiver in ((one, other), (other, one)):
            sender.sendall(b"x")
            self.assertEqual(receiver.recv(1), b"x")
        one.close()
        self.assertEqual(other.recv(1), b"")
        other.close()
        self.assertEqual(descriptors(), before)

    def test_a_pair_of_sockets_is_connected(self):
        self.check_pair()

    def test_a_pair_of_sockets_is_connected_without_socketpair(self):
        if hasattr(socket, "socketpair"):
            replace(self, socket, "socketpair", None)
        self.check_pair()

    def test_a_pair_that_another_process_came_between_is_refused(self):
        if hasattr(socket, "socketpair"):
            replace(self, socket, "socketpair", None)
        strangers, addresses = [], []
        real = socket.create_connection

        def create_connection(address):
            addresses.append(address[0])
            strangers.append(real(address))
            return real(address)
        replace(self, socket, "create_connection", create_connection)
        with self.assertRaises(socket.error) as caught:
            self.dul.socket_pair()
        self.assertEqual(str(caught.exception), "another process connected first")
        self.assertEqual(addresses, ["127.0.0.1"])      # nobody else on the network can
        strangers[0].close()

    def test_a_pair_that_is_made_without_socketpair_leaves_no_listener(self):
        if hasattr(socket, "socketpair"):
            replace(self, socket, "socketpair", None)
        real, listeners = socket.socket, []

        def made(*arguments, **more):
            sock = real(*arguments, **more)
            listeners.append(sock)      # the first of them; here it is still there when it is forgotten
            return sock
        replace(self, socket, "socket", made)
        one, other = self.dul.socket_pair()
        socket.socket = real
        for each in (one, other):
            each.close()
        self.assertRaises(socket.error, listeners[0].getsockname)

    def check_waiter(self):
        one, other = self.pair()
        third, fourth = self.pair()
        wait = self.dul.waiter([one, third])
        for sender, receiver in ((other, one), (fourth, third)):
            timer = threading.Timer(0.05, sender.sendall, (b"x",))
            start = self.dul.monotonic()
            timer.start()
            wait()
            self.assertGreaterEqual(self.dul.monotonic() - start, 0.02)
            self.assertEqual(receiver.recv(1), b"x")
            timer.join()

    def test_a_wait_ends_when_one_of_the_sockets_can_be_read(self):
        self.check_waiter()

    def test_a_wait_ends_when_one_of_the_sockets_can_be_read_without_poll(self):
        if hasattr(select, "poll"):
            replace(self, select, "poll", None)
        self.check_waiter()

    def waits(self, sock, seconds):
        """Whether a recv() of this socket waits at least so many seconds, and then times out."""
        start = self.dul.monotonic()
        try:
            sock.recv(1)
        except socket.timeout:
            pass
        except socket.error as error:
            self.assertIn(error.errno, self.dul.NOT_NOW)
        return self.dul.monotonic() - start >= seconds - 0.02

    def test_timeouts_of_receiving_and_sending_are_two_where_the_kernel_keeps_them(self):
        one, _ = self.pair()
        self.dul.set_timeout(one, 0.15)
        self.assertTrue(self.waits(one, 0.15))
        if self.dul.KERNEL_TIMEOUTS:
            self.assertIsNone(one.gettimeout())
            self.dul.set_timeout(one, 1.5, sending=True)
            self.assertEqual(struct.unpack("ll", one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))[0], 1)
            self.assertTrue(400000 <= struct.unpack("ll", one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))[1] <= 600000)
            for seconds, due in ((3, (3, 0)), (0.0000001, (0, None)), (None, (0, 0))):
                self.dul.set_timeout(one, seconds)
                whole, micro = struct.unpack("ll", one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
                self.assertEqual(whole, due[0])
                self.assertTrue(micro > 0 if due[1] is None else micro < 20000)
            self.assertEqual((whole, micro), (0, 0))
        replace_name(self, "compat", "KERNEL_TIMEOUTS", False)
        for seconds in (0.5, None):
            self.dul.set_timeout(one, seconds)
            self.assertEqual(one.gettimeout(), seconds)

    def test_the_mode_of_a_socket_is_what_restores_it(self):
        one, _ = self.pair()
        for timeout in (None, 2.5, 0.0):
            one.settimeout(timeout)
            self.assertEqual(self.dul.timeout_of(one), timeout)
        one.settimeout(None)
        try:
            import fcntl
        except ImportError:
            return
        fcntl.fcntl(one.fileno(), fcntl.F_SETFL, fcntl.fcntl(one.fileno(), fcntl.F_GETFL) | os.O_NONBLOCK)
        self.assertEqual(self.dul.timeout_of(one), 0.0)
        saved = sys.modules["fcntl"]
        sys.modules["fcntl"] = None
        try:
            self.assertIsNone(self.dul.timeout_of(one))
        finally:
            sys.modules["fcntl"] = saved

    def test_the_soft_limit_of_files_is_raised_to_the_hard_one(self):
        try:
            import resource
        except ImportError:
            raise unittest.SkipTest("there are no such limits here")
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], before[1] - 1) if before[1] > 0 else before[0], before[1]))
            self.dul.raise_file_limit()
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (before[1], before[1]))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def test_no_limit_of_files_or_one_that_cannot_be_raised_ends_nothing(self):
        saved = sys.modules.get("resource")
        sys.modules["resource"] = None
        try:
            self.dul.raise_file_limit()
        finally:
            sys.modules.pop("resource")
            if saved is not None:
                sys.modules["resource"] = saved
        if saved is not None:
            for error in (ValueError("no"), OSError(errno.EPERM, "no"), saved.error("no"), AttributeError("no")):
                def refuse(*_):
                    raise error
                real = replace(self, saved, "setrlimit", refuse)
                self.dul.raise_file_limit()
                saved.setrlimit = real

    def test_the_scheduling_policy_is_batch_unless_another_was_chosen(self):
        if not hasattr(os, "SCHED_BATCH"):
            skip_loudly("this Python or system has no scheduling policies")
        idle = getattr(os, "SCHED_IDLE", os.SCHED_BATCH)    # PyPy has none
        for before, after in ((os.SCHED_OTHER, os.SCHED_BATCH), (idle, idle)):
            found = []

            def change():       # in a thread of its own: policies are those of threads
                os.sched_setscheduler(0, before, os.sched_param(0))
                self.dul.schedule_as_batch()
                found.append(os.sched_getscheduler(0))
            thread = threading.Thread(target=change)
            thread.start()
            thread.join()
            self.assertEqual(found, [after])

    def test_no_scheduling_policies_or_one_that_is_refused_ends_nothing(self):
        def refuse(*_):
            called.append("refused")
            raise OSError(errno.EPERM, "no")
        called = []
        if hasattr(os, "SCHED_BATCH"):
            replace(self, os, "sched_getscheduler", lambda _: os.SCHED_OTHER)
            replace(self, os, "sched_setscheduler", refuse)
            self.dul.schedule_as_batch()
            self.assertEqual(called, ["refused"])
            replace(self, os, "SCHED_BATCH", None)
        self.dul.schedule_as_batch()

    def handler(self, number, handler):
        self.addCleanup(signal.signal, number, signal.getsignal(number))
        signal.signal(number, handler)

    def test_a_signal_that_was_ignored_is_told_by_python_or_by_the_system(self):
        number = signal.SIGTERM
        self.handler(number, signal.SIG_DFL)
        self.assertFalse(self.dul.is_ignored(number))
        signal.signal(number, signal.SIG_IGN)
        self.assertTrue(self.dul.is_ignored(number))
        if os.name == "posix" and os.path.exists("/proc/self/status"):
            replace(self, signal, "getsignal", lambda number: None)     # as PyPy
            self.assertTrue(self.dul.is_ignored(number))
            signal.signal(number, signal.SIG_DFL)
            self.assertFalse(self.dul.is_ignored(number))
            self.assertFalse(self.dul.is_ignored(number + 1))

    def test_without_the_systems_word_a_signal_is_not_ignored(self):
        for text in (None, b"Name:\tpyth\xc3\n", b"SigIgn:\t0000000000000000\n"):
            def opened(name, mode):
                if text is None:
                    raise IOError("no such file")
                return io.BytesIO(text)
            self.handler(signal.SIGTERM, signal.SIG_DFL)
            module = self.dul if self.dul.FORM == "one file" else sys.modules["dul.compat"]
            module.open = opened
            try:
                self.assertFalse(self.dul.is_ignored(signal.SIGTERM))
            finally:
                del module.open

    def test_each_bit_of_the_systems_word_is_its_own_signal(self):
        module = self.dul if self.dul.FORM == "one file" else sys.modules["dul.compat"]
        module.open = lambda name, mode: io.BytesIO(b"SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000004001\nSigCgt:\tffffffff\n")
        replace(self, signal, "getsignal", lambda number: None)
        try:
            self.assertEqual([number for number in range(1, 65) if self.dul.is_ignored(number)], [1, 15])
        finally:
            del module.open

    def test_the_signals_that_end_a_server_are_those_of_the_system_which_are_not_ignored(self):
        replace_name(self, "compat", "is_ignored", lambda number: number == ignored)
        ignored = None
        names = ["SIGINT", "SIGTERM"] + (["SIGHUP"] if hasattr(signal, "SIGHUP") else [])
        if os.name != "nt":
            self.assertEqual(self.dul.ending_signals(), [getattr(signal, name) for name in names])
            ignored = signal.SIGTERM
            self.assertEqual(self.dul.ending_signals(), [getattr(signal, name) for name in names if name != "SIGTERM"])
            ignored = None
            if hasattr(signal, "SIGHUP"):
                replace(self, signal, "SIGHUP", None)
            self.assertEqual(self.dul.ending_signals(), [signal.SIGINT, signal.SIGTERM])
        replace_name(self, "compat", "WINDOWS", True)
        if not hasattr(signal, "SIGBREAK"):
            signal.SIGBREAK = 21
            self.addCleanup(delattr, signal, "SIGBREAK")
        self.assertEqual(self.dul.ending_signals(), [signal.SIGINT, signal.SIGBREAK, signal.SIGTERM])

    @unittest.skipUnless(hasattr(os, "kill") and hasattr(signal, "SIGUSR1"), "there are no such signals here")
    def test_a_signal_writes_to_the_socket_that_is_to_wake(self):
        one, other = self.pair()
        other.setblocking(False)
        one.settimeout(20)
        self.handler(signal.SIGUSR1, lambda *_: None)
        self.addCleanup(signal.set_wakeup_fd, -1)
        self.dul.wake_on_signal(other)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertTrue(one.recv(1))

    def test_pythons_without_the_option_and_systems_without_such_sockets_are_done_without(self):
        one, _ = self.pair()
        calls, asked = [], []

        def old(number, **more):
            if more:
                asked.append(more)
                raise TypeError("no keyword arguments")
            calls.append(number)

        def no_sockets(number, **more):
            raise ValueError("no sockets here")
        for function in (old, no_sockets):
            saved = replace(self, signal, "set_wakeup_fd", function)
            self.dul.wake_on_signal(one)
            signal.set_wakeup_fd = saved
        self.assertEqual(calls, [one.fileno()])
        self.assertEqual(asked, [{"warn_on_full_buffer": False}])       # one that is full wakes, too


both_forms(Here)

if __name__ == "__main__":
    unittest.main()
