"""The process as a service: the socket that systemd hands over, and readiness."""
import errno
import os
import socket
import sys
import unittest

from process import ENDED, POSIX, Program, Readiness, folder, listening
from support import as_program, good_echo, skip_loudly, skip_with_pypy
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
        program = Program(self, "-v -td 1", listener=listener)
        with Peer(listener.getsockname()) as peer:
            peer.associate()
            self.assertEqual(peer.read(10), abort(0, 0))
            program.saw("W: [::1]:%d: timeout: " % peer.sock.getsockname()[1])

    def test_it_listens_nowhere_else(self):
        program = Program(self)
        if sys.platform.startswith("linux"):
            self.assertRaises(socket.error, Peer, ("127.0.0.2", program.port))
        good_echo(program.address)

    def test_another_port_on_the_command_line_is_refused(self):
        listener = listening(self)
        self.assertEqual(self.refusal(Ported(listener)), (
            "echoscp.py: port 104 is not the port of the socket handed over (LISTEN_FDS), which is %d\n"
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
        for environ in ({}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())},
                        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": ""}):
            self.assertIsNone(self.dul.handed_over(environ))
            self.assertEqual(environ, {})       # and no child of this process will take it for its own
        self.assertRaises(ValueError, self.dul.handed_over, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"})


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


as_program(Activation)
as_program(Notification)

if __name__ == "__main__":
    unittest.main()
