"""The process as a service: the socket that systemd hands over, and readiness."""
import errno
import os
import select
import signal
import socket
import sys
import unittest

from process import ENDED, POSIX, Program, Readiness, folder, listening
from support import as_program, both_forms, good_echo, replace, replace_name, skip_loudly, skip_with_pypy
from wire import Peer, abort, echo_rq, echo_rsp

NOT_LISTENING = "echoscp.py: the socket handed over (LISTEN_FDS) does not listen on TCP\n"
ALL_WARNINGS = [sys.executable, "-W", "always"]     # a socket that is forgotten is told then (ResourceWarning)


class Posix(object):
    """What Windows has not."""

    def setUp(self):
        if not POSIX or not hasattr(socket, "AF_UNIX"):
            skip_loudly("Windows has no service manager that hands over sockets")


class Activation(Posix):
    """LISTEN_FDS."""

    def refusal(self, sock):
        """What a program says that is handed this socket and refuses it."""
        program = Program(self, command=ALL_WARNINGS + self.dul.COMMAND[1:], listener=sock, wait=False)
        self.assertEqual((program.end(None), program.out), (2, ""), program.err)
        return program.err

    def test_three_programs_one_after_another_answer_on_one_socket_which_stays_as_it_was(self):
        import fcntl
        for timeout in (None, 0.0):
            if timeout is not None:
                skip_with_pypy("makes a socket blocking in fromfd(), before anything can ask what it was")
            listener = listening(self)
            listener.settimeout(timeout)
            for message_id in (1, 2, 3):
                with Peer(listener.getsockname()) as early:     # it waits in the backlog until there is a program
                    program = Program(self, "-v", listener=listener, wait=False)
                    early.associate()
                    self.assertEqual(early.send(echo_rq(message_id)).pdu(), echo_rsp(message_id))
                good_echo(program.address, message_id)
                self.assertEqual(program.end(), ENDED)
                self.assertNotIn("W: ", program.err)
                flags = fcntl.fcntl(listener.fileno(), fcntl.F_GETFL)
                self.assertEqual(bool(flags & os.O_NONBLOCK), timeout is not None)
            with Peer(listener.getsockname()) as late:          # it still listens
                listener.setblocking(True)
                accepted = listener.accept()[0]
                accepted.sendall(b"here")
                accepted.close()
                self.assertEqual(late.read(4), b"here")

    def test_an_ipv6_socket_serves_too_and_its_peers_have_brackets(self):
        try:
            listener = listening(self, socket.AF_INET6)
        except (socket.error, AttributeError):
            skip_loudly("there is no IPv6 here")
        program = Program(self, "-v", listener=listener)
        with Peer(listener.getsockname()) as peer:
            peer.associate()
            self.assertEqual(peer.send(abort(0, 0)).rest(), b"")
            program.saw("W: [::1]:%d: " % peer.sock.getsockname()[1])

    def test_it_listens_nowhere_else(self):
        program = Program(self)
        if sys.platform.startswith("linux"):
            self.assertRaises(socket.error, Peer, ("127.0.0.2", program.port))
        good_echo(program.address)

    def test_another_port_on_the_command_line_is_refused(self):
        listener = listening(self)
        self.assertEqual(self.refusal(Ported(listener)), (
            "echoscp.py: port 104 is not that of the socket handed over (LISTEN_FDS): %d\n"
            % listener.getsockname()[1]))

    def test_what_is_no_listening_tcp_socket_is_refused_in_one_line(self):
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        named, nameless = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        for sock in (named, nameless):
            self.addCleanup(sock.close)
        named.bind(os.path.join(folder(self), "socket"))
        named.listen(5)
        for sock in (listening(self, kind=socket.SOCK_DGRAM), silent, Ported(named), Ported(nameless)):
            self.assertEqual(self.refusal(sock), NOT_LISTENING)

    def test_no_socket_at_all_is_refused_in_one_line(self):
        with open(os.devnull, "r+b") as nowhere:
            self.assertEqual(self.refusal(Ported(nowhere)), NOT_LISTENING)

    def test_two_sockets_are_refused(self):
        program = Program(self, command=["/usr/bin/env", "LISTEN_FDS=2"] + self.dul.COMMAND, wait=False)
        self.assertEqual((program.end(None), program.err),
                         (2, "echoscp.py: LISTEN_FDS is 2, due: 1 listening socket\n"))

    def test_what_is_meant_for_another_process_is_left_alone(self):
        for environ in ({}, {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}, {"LISTEN_PID": str(os.getpid())},
                        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": ""}):
            self.assertIsNone(self.dul.handed_over(environ, 104))
            self.assertEqual(environ, {})       # and no child of this process will take it for its own
        self.assertRaises(self.dul.UsageError, self.dul.handed_over, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}, 104)


class Ported(object):
    """What is handed over in place of a TCP socket: anything with a descriptor, and a port for the command line."""

    def __init__(self, inner, port=104):
        self.inner, self.port = inner, port

    def fileno(self):
        """Its descriptor."""
        return self.inner.fileno()

    def getsockname(self):
        """(host, port) as the command line has it."""
        return "", self.port


class Notification(Posix):
    """NOTIFY_SOCKET."""

    def test_ready_once_it_listens_and_stopping_when_it_ends(self):
        for path in (True, False):      # a file, and on Linux an abstract address
            readiness = Readiness(self, path)
            program = Program(self, own=True, readiness=readiness)      # which waits for READY=1
            Peer(program.address).close()       # no waiting is needed any more
            self.assertEqual(program.end(), ENDED)
            readiness.wait(b"STOPPING=1")
            self.assertIsNone(readiness.received())

    def test_a_full_receiver_delays_neither_start_nor_end(self):
        readiness = Readiness(self)
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sender.close)
        sender.setblocking(False)
        address = "\0" + readiness.name[1:] if readiness.name[0] == "@" else readiness.name
        with self.assertRaises(socket.error) as caught:
            while True:
                sender.sendto(b"x", address)
        self.assertIn(caught.exception.errno, (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS))
        program = Program(self, readiness=readiness, wait=False)
        good_echo(program.address)
        self.assertEqual(program.end(), ENDED)
        self.assertEqual((program.out, program.err), ("", ""))

    def test_a_missing_receiver_is_ignored(self):
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/no/such/socket"}, {"NOTIFY_SOCKET": "@no-such"},
                        {"NOTIFY_SOCKET": "/" + "x" * 200}, {"NOTIFY_SOCKET": "relative"}):
            self.dul.notify(environ, "READY=1")


class Gone(Exception):
    """The process would be."""


class Functions(object):
    """What the program asks of the system, in this process."""

    def written(self, *results):
        """What write() returns where os.write() does so, and how often it waited. A result: bytes taken, or an error."""
        results, self.waits, self.taken = list(results), [], []

        def os_write(number, data):
            result = results.pop(0)
            if isinstance(result, Exception):
                raise result
            self.taken.append(data[:result])
            return result
        real = replace(self, os, "write", os_write)
        waits = replace(self, select, "select", lambda *lists: self.waits.append(lists))
        try:
            return self.dul.write(7, "hello")
        finally:
            os.write, select.select = real, waits
            self.assertEqual(results, [])

    def test_all_is_written_though_it_is_taken_in_pieces(self):
        replace_name(self, "service", "WINDOWS", False)
        self.assertTrue(self.written(2, OSError(errno.EAGAIN, "no"), 1, OSError(errno.EINTR, "no"), 2))
        self.assertEqual((self.taken, self.waits), ([b"he", b"l", b"lo"], [([], [7], [])] * 2))

    def test_what_cannot_be_written_is_told_and_not_tried_again(self):
        for code in (errno.EPIPE, errno.ENOSPC, errno.EBADF):
            self.assertIs(self.written(2, OSError(code, "no")), False)
        replace_name(self, "service", "WINDOWS", True)      # where only sockets can be waited for
        self.assertIs(self.written(OSError(errno.EAGAIN, "no")), False)
        self.assertEqual(self.waits, [])

    def test_what_is_not_ascii_is_written_by_its_number(self):
        reading, writing = os.pipe()
        try:
            self.assertTrue(self.dul.write(writing, u"a\xfc\u20ac"))
            self.assertTrue(self.dul.write(writing, b"\xff"))
            self.assertEqual(os.read(reading, 100), b"a\\xfc\\u20ac\xff")
        finally:
            os.close(reading)
            os.close(writing)

    def filled(self, closed, has_null_device):
        """What is opened where these of the standard files are closed."""
        opened = []

        def fstat(number):
            if number in closed:
                raise OSError(errno.EBADF, "Bad file descriptor")

        def os_open(*arguments):
            opened.append(arguments)
            if not has_null_device:
                raise OSError(errno.ENOENT, "No such file or directory")
        saved = [(name, replace(self, os, name, value)) for name, value in (
            ("fstat", fstat), ("open", os_open), ("pipe", lambda: opened.append("pipe")))]
        try:
            self.dul.fill_standard_files()
        finally:
            for name, value in saved:
                setattr(os, name, value)
        return opened

    def test_each_standard_file_that_is_closed_is_opened_and_no_other_one(self):
        null = (os.devnull, os.O_RDWR)
        for closed, count in (((), 0), ((3, 4), 0), ((0,), 1), ((1,), 1), ((2,), 1), ((0, 1, 2), 3)):
            self.assertEqual(self.filled(closed, True), [null] * count)
            self.assertEqual(self.filled(closed, False), [null, "pipe"] * count)

    def test_the_end_by_a_signal_has_the_status_that_shells_give_it_where_the_signal_ends_nothing(self):
        def leave(status):
            raise Gone(status)
        sent = []
        replace(self, os, "_exit", leave)
        replace(self, os, "kill", lambda *arguments: sent.append(arguments))
        replace(self, signal, "signal", lambda *arguments: sent.append(arguments))
        for windows, due in ((False, [(15, signal.SIG_DFL), (os.getpid(), 15)]), (True, [])):
            replace_name(self, "service", "WINDOWS", windows)
            del sent[:]
            with self.assertRaises(Gone) as caught:
                self.dul.end_by(15)
            self.assertEqual((caught.exception.args, sent), ((143,), due))

    def test_a_socket_that_is_handed_over_is_there_once(self):
        class Handed(object):
            """A copy of it."""

            def getsockopt(self, level, option):
                """Of IPv4, and listening."""
                return socket.AF_INET if option == 39 else 1

            def getsockname(self):
                """Its address."""
                return "0.0.0.0", 104
        if not hasattr(socket, "SO_ACCEPTCONN") or not hasattr(socket, "fromfd"):
            self.skipTest("no socket can be handed over here")
        handed, closed, copied = Handed(), [], []
        replace(self, socket, "fromfd", lambda *arguments: copied.append(arguments) or handed)
        real = replace(self, os, "close", closed.append)
        try:
            got = self.dul.handed_over({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}, 104)
        finally:
            os.close = real
        self.assertIs(got, handed)
        self.assertEqual((copied, closed), ([(3, socket.AF_INET, socket.SOCK_STREAM)], [3]))

    def test_the_socket_that_tells_is_closed(self):
        class Telling(object):
            """A socket that is told, or refuses."""

            def setblocking(self, blocking):
                calls.append(blocking)

            def sendto(self, data, address):
                calls.append((data, address))
                if refused:
                    raise socket.error(errno.ECONNREFUSED, "no")

            def close(self):
                calls.append("closed")
        if not hasattr(socket, "AF_UNIX"):
            self.skipTest("there are no such sockets here")
        replace(self, socket, "socket", lambda *arguments: Telling())
        for refused, name, address in ((False, "/run/notify", "/run/notify"), (True, "@notify", "\0notify")):
            calls = []
            self.dul.notify({"NOTIFY_SOCKET": name}, "READY=1")
            self.assertEqual(calls, [False, (b"READY=1", address), "closed"])


both_forms(Functions)
as_program(Activation)
as_program(Notification)

if __name__ == "__main__":
    unittest.main()
