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


for each in (Options, Terminal, Activation):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
