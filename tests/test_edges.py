"""The edges of the process and of EchoServer: stuck terminals, odd sockets handed over, careless embedding programs."""
import os
import signal
import socket
import sys
import threading
import unittest

from process import Program, folder
from support import both_forms, monotonic, serve, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, associate_rq, echo_rq, echo_rsp, item, user_information

VALUE_OPTIONS = [("-ll", "--log-level"), ("-lc", "--log-config"), ("-aet", "--aetitle"), ("-to", "--timeout"),
                 ("-ta", "--acse-timeout"), ("-td", "--dimse-timeout"), ("-pdu", "--max-pdu")]
HAND_OVER = ("import os, sys\n"
             "os.dup2(int(sys.argv[1]), 3)\n"
             "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
             "os.execv(sys.argv[2], sys.argv[2:])\n")
SECRET = item(0x58, b"\2\1\0\5maria\0\6geheim")
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12


def good_echo(address, timeout=20.0):
    """One association that is as it should be."""
    with Peer(address, timeout) as peer:
        peer.associate()
        answers = peer.send(echo_rq()).pdu(), peer.send(RELEASE_RQ).pdu()
        if answers != (echo_rsp(), RELEASE_RP) or peer.finish():
            raise AssertionError("%r" % (answers,))


class Options(object):
    """parse()."""

    def test_a_long_option_with_its_value_is_no_value_of_the_option_before(self):
        for names in VALUE_OPTIONS:
            for name in names:
                with self.assertRaises(self.dul.UsageError) as caught:
                    self.dul.parse([name, "--max-pdu=128", "104"])
                self.assertIn("option %s needs a value: " % name, str(caught.exception))


class Terminal(object):
    """Standard error is a terminal."""

    def test_one_that_takes_no_more_blocks_neither_an_association_nor_the_end(self):
        import pty
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        program = Program(self, "-ll debug", wait=False, stderr=slave)
        os.close(slave)
        shown = b""
        while b"Listening on port" not in shown:
            shown += os.read(master, 4096)
        for _ in range(20):     # some 3 kB each: far more than it holds, and nobody reads
            good_echo(program.address, 5)
        start = monotonic()
        self.assertEqual(program.end(), -signal.SIGTERM)
        self.assertLess(monotonic() - start, 2)


class Secrets(object):
    """The hex dumps of -d."""

    def test_none_is_shown_that_comes_behind_or_in_what_is_no_dicom(self):
        request = associate_rq(user=user_information(SECRET))
        program = Program(self, "-d")
        for data in (b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n" + request, PROXY_V2 + request,
                     b"\0\0\0\0\0\4abcd" + request,
                     b"GET / HTTP/1.1\r\nAuthorization: Basic bWFyaWE6Z2VoZWlt\r\n\r\n"):
            with Peer(program.address) as peer:
                peer.send(data).finish()
        program.end()
        self.assertIn("PROXY protocol version 2", program.err)
        for words in ("geheim", "67 65 68", "bWFya", "62 57 46"):
            self.assertEqual([line for line in program.err.splitlines() if words in line], [])


@unittest.skipUnless(hasattr(socket, "AF_UNIX"), "there are no such sockets here")
class Activation(object):
    """What is handed over is no TCP socket."""

    def test_a_listening_unix_socket_is_refused_in_one_line(self):
        for name in (os.path.join(folder(self), "socket"), ""):
            sock = socket.socket(socket.AF_UNIX)
            self.addCleanup(sock.close)
            if name:
                sock.bind(name)
                sock.listen(5)
            if hasattr(sock, "set_inheritable"):
                sock.set_inheritable(True)
            program = Program(self, wait=False, close_fds=False,
                              command=[sys.executable, "-c", HAND_OVER, str(sock.fileno())] + self.dul.COMMAND)
            self.assertEqual((program.end(None), program.err), (
                2, "echoscp.py: the socket handed over (LISTEN_FDS) does not listen on TCP\n"))


class Embedding(object):
    """EchoServer in a program that is careless."""

    def test_it_can_be_started_once(self):
        server = self.dul.EchoServer(port=0).start()
        try:
            self.assertRaises(RuntimeError, server.start)
            good_echo(server.address)
        finally:
            stopper = threading.Thread(target=server.stop)
            stopper.daemon = True       # started twice it might never end
            stopper.start()
            stopper.join(5)
        self.assertFalse(stopper.is_alive())
        self.assertRaises(RuntimeError, server.start)

    def test_a_stop_that_comes_just_before_threads_are_started_is_orderly(self):
        server = self.dul.EchoServer(port=0)
        self.addCleanup(server.stop)
        server.request_stop()       # as a signal handler does, between two lines of serve_forever()
        server.start_threads()
        self.assertEqual(server.threads, 0)

    def test_a_port_out_of_range_is_a_value_error(self):
        for port in (-1, 65536):
            self.assertRaises(ValueError, self.dul.EchoServer, port=port)

    def test_a_listener_with_a_timeout_serves_at_once(self):
        for timeout in (0.01, 0.0):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(5)
            listener.settimeout(timeout)
            server = serve(self, listener=listener)
            threading.Event().wait(0.1)     # longer than its timeout
            start = monotonic()
            good_echo(server.address)
            self.assertLess(monotonic() - start, 0.5)
            self.assertIsNone(server.pressure_told)

    def test_the_default_timeout_of_the_program_does_not_delay_a_deadline(self):
        socket.setdefaulttimeout(5)
        self.addCleanup(socket.setdefaulttimeout, None)
        server = serve(self, acse_timeout=0.5)
        start = monotonic()
        with Peer(server.address) as peer:
            self.assertEqual(peer.rest(), b"")
        self.assertLess(abs(monotonic() - start - 0.5), 0.3)

    def test_a_callback_may_stop_the_server(self):
        took = []

        def stop(notice):
            if notice.kind == "echoed":
                start = monotonic()
                server.stop()
                took.append(monotonic() - start)
        server = serve(self, on_event=stop)
        with Peer(server.address) as peer:
            peer.associate()
            peer.send(echo_rq()).rest()
        self.assertLess(took[0], 2)
        wait_until(lambda: not server.threads, "its threads are gone")


for each in (Options, Terminal, Secrets, Activation, Embedding):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
