"""A socket within one absolute deadline, with and without timeouts of the kernel."""
import errno
import os
import select
import socket
import struct
import threading
import unittest

from process import need_posix
from support import at_length, monotonic, replace, replace_name, skip_in_wine, wait_until, without_kernel_timeouts

SECONDS = 0.03      # of a deadline; the clocks of Windows and of Python 2.7 have steps of 10 to 16 ms
EARLY = 0.02
GENEROUS = 5.0      # seconds after which an upper bound fails


class Counting(object):
    """A socket that counts the calls of its methods, and may have others in their place."""

    def __init__(self, sock, **methods):
        self.sock = sock
        self.calls = []
        self.methods = methods

    def __getattr__(self, name):
        self.calls.append(name)
        return self.methods.get(name) or getattr(self.sock, name)


def raises(error):
    """A function that raises."""
    def function(*_):
        raise error
    return function


class WithKernelTimeouts(object):
    """Transport, as this system has it."""

    wakes = True        # whether shutdown() wakes a recv() in another thread

    def setUp(self):
        if self.wakes:
            need_posix("shutdown() that wakes a recv()")
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        self.peer = socket.socket()
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.peer.connect(listener.getsockname())
        self.peer.settimeout(20)
        self.sock = listener.accept()[0]
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.halt, self.halted = self.dul.socket_pair()
        for each in (self.peer, self.sock, self.halt, self.halted):
            self.addCleanup(each.close)

    def received(self, transport):
        """What a recv() of one byte comes to: the byte, or how the connection ended."""
        try:
            return transport.receive(1)
        except self.dul.ConnectionLost as error:
            return str(error)

    def transport(self, send_limit=20, **methods):
        return self.dul.Transport(Counting(self.sock, **methods), send_limit, self.halted)

    def option(self, *which):
        return self.sock.getsockopt(*which)

    def during(self, function):
        """Run a function in another thread until the test ends."""
        thread = threading.Thread(target=function)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def drip_reads(self):
        """Read a little every 10 ms until the test ends. Returns what was read."""
        stop, got = threading.Event(), []

        def read():
            while not stop.wait(0.01):
                try:
                    got.append(self.peer.recv(2048))
                except socket.error:
                    return
        self.during(read)
        self.addCleanup(stop.set)
        return got

    # ---- set-up

    def test_a_connection_has_keep_alive_and_no_delay(self):
        self.assertFalse(self.option(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.transport()
        self.assertTrue(self.option(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertTrue(self.option(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_a_connection_blocks_whatever_its_mode_was(self):
        for timeout in (0.0, 0.01):
            self.sock.settimeout(timeout)
            transport = self.transport()
            self.assertIsNone(self.sock.gettimeout())
            timer = threading.Timer(SECONDS, self.peer.sendall, (b"late",))
            timer.start()
            self.assertEqual(transport.receive(10), b"late")
            timer.join()

    def test_a_connection_blocks_where_it_has_the_mode_of_its_listener(self):
        try:
            import fcntl
        except ImportError:
            raise unittest.SkipTest("there is no fcntl here")
        if self.kernel():
            return      # on Linux it never has
        number = self.sock.fileno()
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_NONBLOCK)
        self.transport()
        self.assertFalse(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_NONBLOCK)

    def test_options_that_a_system_refuses_are_done_without(self):
        transport = self.transport(setsockopt=raises(socket.error(errno.EINVAL, "Invalid argument")))
        self.peer.sendall(b"hello")
        self.assertEqual(transport.receive(10), b"hello")

    # ---- receiving

    def test_no_more_is_received_than_was_asked_for(self):
        transport = self.transport()
        self.peer.sendall(b"123456")
        self.assertEqual((transport.receive(4), transport.receive(4)), (b"1234", b"56"))

    def test_the_end_of_the_stream_is_a_lost_connection_that_the_peer_closed(self):
        transport = self.transport()
        self.peer.close()
        with self.assertRaises(self.dul.ConnectionLost) as caught:
            transport.receive(4)
        self.assertEqual(str(caught.exception), "connection closed by the peer")
        self.assertTrue(caught.exception.closed)

    def test_a_deadline_passes_and_is_absolute_against_dripping_bytes(self):
        transport = self.transport()
        stop = threading.Event()

        def drip():
            while not stop.wait(0.01):
                try:
                    self.peer.sendall(b".")
                except socket.error:
                    return
        self.during(drip)
        self.addCleanup(stop.set)
        received = [transport.receive(1)]       # it drips
        start = monotonic()
        transport.set_deadline(5 * SECONDS)
        with self.assertRaises(self.dul.DeadlinePassed):
            while monotonic() - start < GENEROUS:
                received.append(transport.receive(1))
        self.assertGreaterEqual(monotonic() - start, 5 * SECONDS - EARLY)

    def test_a_deadline_that_has_passed_is_told_though_bytes_are_there(self):
        transport = self.transport()
        self.peer.sendall(b"late")
        transport.set_deadline(-1)
        self.assertRaises(self.dul.DeadlinePassed, transport.receive, 4)

    def test_a_deadline_that_is_taken_away_or_put_off_does_not_pass(self):
        transport = self.transport()
        for later in (0, GENEROUS):
            transport.set_deadline(SECONDS)
            timer = threading.Timer(SECONDS * 1.5, self.peer.sendall, (b"x",))
            self.assertRaises(self.dul.DeadlinePassed, transport.receive, 1)
            transport.set_deadline(SECONDS)
            transport.set_deadline(later)
            timer.start()
            self.assertEqual(transport.receive(1), b"x")
            timer.join()

    def test_a_shorter_deadline_counts_after_a_longer_one(self):
        transport = self.transport()
        transport.set_deadline(GENEROUS * 2)
        self.peer.sendall(b"x")
        self.assertEqual(transport.receive(1), b"x")
        start = monotonic()
        transport.set_deadline(SECONDS)
        self.assertRaises(self.dul.DeadlinePassed, transport.receive, 1)
        self.assertLess(monotonic() - start, GENEROUS)

    def test_who_waits_does_not_wake_up_again_and_again(self):
        for seconds in (0, GENEROUS):
            transport = self.transport()
            transport.set_deadline(seconds)
            timer = threading.Timer(SECONDS, self.peer.sendall, (b"x",))
            timer.start()
            self.assertEqual(transport.receive(1), b"x")
            timer.join()
            self.assertLessEqual(transport.sock.calls.count("recv"), 2)

    def test_a_wait_longer_than_a_system_takes_is_waited_for_in_pieces(self):
        replace_name(self, "transport", "LONGEST_WAIT", 0.01)
        transport = self.transport()
        start = monotonic()
        transport.set_deadline(5 * SECONDS)     # some of 15 pieces, also where others have the processor
        self.assertRaises(self.dul.DeadlinePassed, transport.receive, 1)
        self.assertGreaterEqual(monotonic() - start, 5 * SECONDS - EARLY)
        self.assertGreater(transport.sock.calls.count("recv"), 3)

    def test_the_longest_timeout_of_all_can_be_set(self):
        transport = self.transport()
        transport.set_deadline(self.dul.LONGEST_TIMEOUT)
        self.peer.sendall(b"x")
        self.assertEqual(transport.receive(1), b"x")

    def test_a_timeout_is_not_set_again_while_it_is_right(self):
        name = "setsockopt" if self.kernel() else "settimeout"
        transport = self.transport()
        self.peer.sendall(b"123456")
        del transport.sock.calls[:]
        transport.receive(1)                # no deadline: nothing to set but once
        transport.receive(1)
        self.assertLessEqual(transport.sock.calls.count(name), 1)
        transport.set_deadline(1000)
        transport.receive(1)
        del transport.sock.calls[:]
        replace_name(self, "transport", "CLOSE_ENOUGH", 500)
        transport.receive(1)
        self.assertEqual(transport.sock.calls, ["recv"])

    def test_an_interruption_by_a_signal_is_no_end(self):
        errors = [socket.error(errno.EINTR, "Interrupted system call")] * 2
        self.peer.sendall(b"x")
        transport = self.transport(recv=lambda most: errors and raises(errors.pop())() or self.sock.recv(most))
        self.assertEqual(transport.receive(1), b"x")
        self.assertEqual(errors, [])

    def test_a_connection_that_is_gone_is_told_in_the_words_of_the_system(self):
        table = [(socket.error(errno.ECONNRESET, "Connection reset by peer"), "connection lost: Connection reset by peer"),
                 (ValueError("closed"), "connection lost: closed")]
        self.peer.sendall(b"x")         # where it waits before it receives
        for error, words in table:
            transport = self.transport(recv=raises(error), send=raises(error))
            self.assertEqual((self.received(transport), str(transport.send(b"x"))), (words, words))

    def test_a_network_that_is_dead_is_no_timeout_of_ours(self):
        error = socket.error(errno.ETIMEDOUT, "Connection timed out")       # a socket.timeout, too, from Python 3.10 on
        self.peer.sendall(b"x")         # where it waits before it receives
        transport = self.transport(recv=raises(error), send=lambda data, flags: raises(
            socket.error(errno.EAGAIN, "not now") if flags else error)())
        self.assertEqual((self.received(transport), str(transport.send(b"x"))), ("connection lost: Connection timed out",) * 2)

    def test_a_real_reset_is_a_lost_connection(self):
        skip_in_wine("makes an end of a reset")
        transport = self.transport()
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        self.assertRaises(self.dul.ConnectionLost, transport.receive, 1)

    # ---- sending

    def test_all_of_a_pdu_is_sent_though_the_system_takes_it_in_pieces(self):
        transport = self.transport(send=lambda data, _: self.sock.send(data[:3]))
        self.assertIsNone(transport.send(b"0123456789"))
        transport.close()
        self.assertEqual(b"".join(iter(lambda: self.peer.recv(100), b"")), b"0123456789")

    def test_the_longest_limit_of_all_can_be_set(self):
        transport = self.transport(self.dul.LONGEST_TIMEOUT)
        self.assertIsNone(transport.send(b"x"))
        transport.arm_sending(transport.send_limit)
        self.assertEqual(transport.send_limit, 86400.0)

    def test_a_peer_that_reads_nothing_ends_a_send_at_its_limit(self):
        transport = self.transport(SECONDS)
        start = monotonic()
        lost = transport.send(b"x" * 1000000)
        self.assertTrue(SECONDS - EARLY <= monotonic() - start < GENEROUS)
        self.assertEqual(str(lost), "the peer has not read what was sent to it for %s s" % SECONDS)

    def test_a_peer_that_drips_its_reads_does_not_extend_the_limit_of_a_send(self):
        transport = self.transport(8 * SECONDS)      # so that there is some reading within it under load, too
        got = self.drip_reads()
        transport.send(b"x")
        wait_until(lambda: got, "it reads")
        start, before = monotonic(), len(got)
        self.assertIsInstance(transport.send(b"x" * 1000000), self.dul.ConnectionLost)
        took = monotonic() - start
        self.assertTrue(8 * SECONDS - EARLY <= took < GENEROUS, took)
        self.assertGreater(len(got), before)

    def test_the_limit_of_a_send_counts_from_its_beginning(self):
        moments = [1000.0]
        replace_name(self, "transport", "monotonic", lambda: moments[0])

        def send(data, _):
            moments[0] += 1.0
            return 1
        transport = self.transport(2.5, send=send)
        self.assertIsInstance(transport.send(b"x" * 10), self.dul.ConnectionLost)
        self.assertEqual(moments[0], 1004.0 if self.kernel() else 1003.0)     # what is taken at once takes no time

    def limits(self, *sends):
        """What bounds each piece, where nothing is taken at once, one byte at a time, and each takes 2 of the 7 seconds."""
        limits, moments = [], [1000.0]

        def send(data, flags):
            if flags:
                raise socket.error(errno.EAGAIN, "try again")
            if self.kernel():
                seconds, micro = struct.unpack("ll", self.option(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))
                limits.append(int(round(seconds + micro / 1000000.0)))
            else:
                limits.append(int(round(self.sock.gettimeout())))
            moments[0] += 2.0
            return 1
        replace_name(self, "transport", "monotonic", lambda: moments[0])
        transport = self.transport(7.0, send=send)
        for data in sends:
            self.assertIsNone(transport.send(data))
        return limits

    def test_each_piece_of_a_send_is_bounded_by_what_is_left_of_the_limit(self):
        self.assertEqual(self.limits(b"1234"), [7, 5, 3, 1])

    def test_a_send_in_pieces_leaves_the_whole_limit_to_the_next_one(self):
        self.assertEqual(self.limits(b"12", b"345", b"6"), [7, 5, 7, 5, 3, 7])

    def test_a_send_leaves_no_limit_to_the_receiving_after_it(self):
        transport = self.transport(SECONDS)
        transport.set_deadline(0)
        transport.send(b"x")
        timer = threading.Timer(1.5 * SECONDS, self.peer.sendall, (b"y",))
        timer.start()
        self.assertEqual(transport.receive(1), b"y")
        timer.join()
        self.assertLessEqual(transport.sock.calls.count("recv"), 2)

    def test_a_deadline_holds_after_a_send_with_a_longer_limit(self):
        transport = self.transport(GENEROUS * 2)
        start = monotonic()
        transport.set_deadline(SECONDS)
        transport.send(b"x")
        self.assertRaises(self.dul.DeadlinePassed, transport.receive, 1)
        self.assertTrue(SECONDS - EARLY <= monotonic() - start < GENEROUS)

    def test_an_interrupted_send_goes_on(self):
        errors = [socket.error(errno.EINTR, "Interrupted system call")] * 2
        transport = self.transport(send=lambda data, _: errors and raises(errors.pop())() or self.sock.send(data))
        self.assertIsNone(transport.send(b"hello"))
        self.assertEqual(self.peer.recv(10), b"hello")

    # ---- from other threads

    def test_interrupt_ends_a_wait_and_answers_can_still_be_sent(self):
        transport = self.transport()
        got = []
        thread = self.during(lambda: got.append(self.received(transport)))
        wait_until(lambda: "recv" in transport.sock.calls, "it waits")
        transport.interrupt()
        thread.join(GENEROUS)
        self.assertEqual(got, ["connection closed by the peer"])
        self.assertIsNone(transport.send(b"bye"))
        self.assertEqual(self.peer.recv(10), b"bye")

    def test_interrupt_ends_a_send_too_where_it_is_asked_to(self):
        transport = self.transport(20)
        lost = []
        thread = self.during(lambda: lost.append(transport.send(b"x" * 1000000)))
        wait_until(lambda: "send" in transport.sock.calls, "it sends")
        transport.interrupt(sending=True)
        thread.join(GENEROUS)
        self.assertIsInstance(lost[0], self.dul.ConnectionLost)

    def test_what_was_sent_arrives_after_close_and_all_may_be_called_again(self):
        transport = self.transport()
        self.assertIsNone(transport.send(b"bye"))
        transport.close()
        self.assertEqual((self.peer.recv(10), self.peer.recv(10)), (b"bye", b""))
        transport.close()
        transport.interrupt()
        transport.interrupt(True)
        transport.acknowledge()

    def test_what_a_system_refuses_at_the_end_harms_nothing(self):
        for error in (socket.error(errno.ENOTCONN, "not connected"), ValueError("closed")):
            transport = self.transport(shutdown=raises(error), close=raises(error), setsockopt=raises(socket.error(1, "")))
            transport.interrupt()
            transport.close()
            transport.acknowledge()
            transport.sock.methods["setsockopt"] = raises(error)    # a closed socket is a ValueError on Python 2.7
            transport.acknowledge()

    def kernel(self):
        """Whether the kernel keeps the timeouts in this test."""
        return self.dul.KERNEL_TIMEOUTS


class WithoutKernelTimeouts(WithKernelTimeouts):
    """The same where the socket's own timeout is all there is."""

    def setUp(self):
        without_kernel_timeouts(self)
        WithKernelTimeouts.setUp(self)

    def kernel(self):
        return False


class WhereShutdownWakesNobody(WithoutKernelTimeouts):
    """The same where shutdown() does not wake a recv() in another thread, as on Windows."""

    wakes = False

    def setUp(self):
        replace_name(self, "transport", "SHUTDOWN_WAKES", False)
        WithoutKernelTimeouts.setUp(self)

    def test_a_timeout_is_not_set_again_while_it_is_right(self):
        """No timeout is set for receiving: it waits before."""
        transport = self.transport()
        transport.set_deadline(1000)
        self.peer.sendall(b"1")
        del transport.sock.calls[:]
        transport.receive(1)
        self.assertNotIn("settimeout", transport.sock.calls)

    def test_a_wait_longer_than_a_system_takes_is_waited_for_in_pieces(self):
        replace_name(self, "transport", "LONGEST_WAIT", 0.01)
        transport = self.transport()
        start = monotonic()
        transport.set_deadline(SECONDS)
        self.assertRaises(self.dul.DeadlinePassed, transport.receive, 1)
        self.assertTrue(SECONDS - EARLY <= monotonic() - start < GENEROUS)

    def test_the_end_of_the_server_ends_a_wait(self):
        transport = self.transport(shutdown=lambda how: None)
        got = []
        thread = self.during(lambda: got.append(self.received(transport)))
        wait_until(lambda: "fileno" in transport.sock.calls, "it waits")
        self.halt.close()
        thread.join(GENEROUS)
        self.assertEqual(got, ["closed here"])
        self.peer.sendall(b"x")         # what has arrived is read before
        self.assertEqual(transport.receive(1), b"x")
        self.assertEqual(self.received(transport), "closed here")
        transport.interrupt()
        transport.send(b"bye")          # and answers can still be sent
        self.assertEqual(self.peer.recv(10), b"bye")
        transport.interrupt(sending=True)
        self.assertIsInstance(transport.send(b"x"), self.dul.ConnectionLost)

    def test_interrupt_ends_a_wait_and_answers_can_still_be_sent(self):
        """Where the server goes on, the socket is closed: nothing else ends the wait."""
        transport = self.transport()
        got = []
        thread = self.during(lambda: got.append(self.received(transport)))
        wait_until(lambda: "fileno" in transport.sock.calls, "it waits")
        transport.interrupt()
        thread.join(GENEROUS)
        self.assertTrue(got[0].startswith(("connection closed by the peer", "connection lost: ")), got)     # either is right
        self.assertRaises(self.dul.ConnectionLost, transport.receive, 1)

    def test_interrupt_closes_the_socket_unless_the_server_stops(self):
        transport = self.transport(shutdown=lambda how: None, close=lambda: None)
        transport.waiting = True
        transport.interrupt()
        self.assertIn("close", transport.sock.calls)
        del transport.sock.calls[:]
        self.halt.close()
        transport.interrupt()
        self.assertNotIn("close", transport.sock.calls)
        transport.interrupt(sending=True)
        self.assertIn("close", transport.sock.calls)

    def test_who_does_not_wait_can_still_answer_and_is_interrupted_at_the_next_receive(self):
        transport = self.transport(shutdown=lambda how: None)
        self.peer.sendall(b"xy")
        self.assertEqual(self.received(transport), b"x")
        transport.interrupt()
        self.assertIsNone(transport.send(b"bye"))
        self.assertEqual(self.peer.recv(10), b"bye")
        self.assertEqual(self.received(transport), "closed here")

    def test_a_socket_that_is_closed_while_it_is_waited_for_is_the_end(self):
        for error in (select.error(errno.EBADF, "Bad file descriptor"), ValueError("negative"), socket.error(errno.EBADF, "")):
            transport = self.transport()
            saved = replace(self, select, "select", raises(error))
            try:
                self.assertRaises(self.dul.ConnectionLost, transport.receive, 1)
            finally:
                select.select = saved


at_length(WhereShutdownWakesNobody)
at_length(WithKernelTimeouts)
at_length(WithoutKernelTimeouts)

if __name__ == "__main__":
    unittest.main()
