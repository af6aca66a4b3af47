"""Start and stop of the process."""
import errno
import os
import signal
import socket
import subprocess
import sys
import unittest

from process import Program, alone, free_port, run
from support import both_forms, monotonic, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIMIT = 2.0         # seconds until the process is gone
MANY = 1000


class Stop(object):
    """SIGINT, SIGTERM, SIGHUP."""

    def end(self, program, number):
        start = monotonic()
        self.assertEqual(program.end(number), -number)
        self.assertLess(monotonic() - start, LIMIT)
        self.assertNotIn("Traceback", program.err)

    def test_idle_it_ends_by_the_signal_without_a_word(self):
        for number in NUMBERS:
            program = Program(self, "-v")
            self.end(program, number)
            self.assertEqual((program.out, program.err), ("", ""))

    def test_open_associations_are_aborted(self):
        for number in NUMBERS:
            program = Program(self, "-v")
            with Peer(program.address) as established, Peer(program.address) as waiting:
                established.associate()
                self.assertEqual(established.send(echo_rq()).pdu(), echo_rsp())
                waiting.send(associate_rq()[:30])
                self.end(program, number)
                self.assertEqual(established.rest(), abort(0, 0))
                try:
                    self.assertEqual(waiting.rest(), b"")
                except socket.error:    # a reset, where it had not been accepted yet
                    pass
            self.assertEqual(program.err.splitlines(), [
                "I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
                "I: Aborting Association"])

    def test_a_thousand_open_ones_are_aborted_too(self):
        program = Program(self)
        peers = []
        try:
            for _ in range(MANY):
                peers.append(Peer(program.address))
                peers[-1].send(associate_rq())
        except (socket.error, OSError) as error:
            if error.errno != errno.EMFILE:
                raise
        for peer in peers:
            self.addCleanup(peer.close)
            self.assertEqual(peer.pdu()[:1], b"\x02")
        self.end(program, signal.SIGTERM)
        self.assertEqual({peer.rest() for peer in peers}, {abort(0, 0)})
        self.assertEqual(program.err, "")

    def test_a_peer_that_never_stops_talking_does_not_delay_the_end(self):
        program = Program(self)
        with Peer(program.address, receive_buffer=2048) as peer:
            peer.associate()
            peer.sock.settimeout(0.5)
            try:
                while True:
                    peer.send(echo_rq() * 100)
            except (socket.timeout, socket.error):
                pass
            self.end(program, signal.SIGTERM)

    def test_a_signal_that_was_ignored_stays_ignored(self):
        program = Program(self, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        program.process.send_signal(signal.SIGHUP)
        with Peer(program.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        self.end(program, signal.SIGTERM)

    def test_a_second_signal_kills_at_once(self):
        program = Program(self)
        program.process.send_signal(signal.SIGTERM)
        try:
            program.process.send_signal(signal.SIGINT)
        except OSError:
            pass
        self.assertIn(program.end(None), (-signal.SIGTERM, -signal.SIGINT))

    def test_as_the_first_process_of_a_container(self):
        apart = ["unshare", "--fork", "--pid", "--kill-child"]
        try:
            with open(os.devnull, "r+b") as nowhere:
                if subprocess.call(apart + ["true"], stdout=nowhere, stderr=nowhere):
                    raise OSError("not allowed")
        except OSError:
            self.skipTest("this user has no unshare")
        for number in NUMBERS:
            program = Program(self, command=apart + self.dul.COMMAND)
            with open("/proc/%d/task/%d/children" % (program.process.pid, program.process.pid)) as children:
                first = int(children.read())

            def catches():
                with open("/proc/%d/status" % first) as status:
                    masks = [int(line.split()[1], 16) for line in status if line[:6] in ("SigCgt", "SigBlk")]
                return (masks[0] | masks[1]) >> (signal.SIGHUP - 1) & 1
            wait_until(catches, "it is ready: what it does not catch does not reach the first process at all")
            os.kill(first, number)
            self.assertIn(program.end(None), (128 + number, -number))
            self.assertEqual(program.err, "")

    def test_ctrl_c_in_a_terminal(self):
        import pty
        port = free_port()
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
                os.execv(self.dul.COMMAND[0], self.dul.COMMAND + [str(port), "-d"])
            finally:
                os._exit(127)
        self.addCleanup(os.close, terminal)
        shown = b""
        while b"Listening on" not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        status = wait_until(lambda: [each for each in [os.waitpid(pid, os.WNOHANG)] if each[0]], "it ends")[0][1]
        self.assertEqual((os.WIFSIGNALED(status), status & 127), (True, signal.SIGINT), shown)
        try:
            while True:
                data = os.read(terminal, 4096)
                if not data:
                    break
                shown += data
        except OSError:         # the terminal is gone
            pass
        self.assertNotIn(b"Traceback", shown)


class Start(object):
    """What can go wrong before the first association."""

    def test_a_privileged_port_is_one_line_and_exit_status_1(self):
        limit = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
        if not os.path.exists(limit) or int(open_text(limit)) <= 1:
            raise unittest.SkipTest("this system has no privileged ports")

        # An ordinary user may not be able to reach this interpreter's files: the privileges go after the imports.
        pid_out = subprocess.Popen([sys.executable, "-c", (
            "import os, sys\nsys.path.insert(0, %r)\nimport %s as m\n"
            "import logging, errno, socket, threading, signal\n"
            "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "m.main(['1'])") % (os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "echoscp" if self.dul.FORM == "one file" else "dul.cli")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = pid_out.communicate()
        self.assertEqual((pid_out.returncode, out), (1, b""), err)
        self.assertEqual(err, b"C: cannot listen on port 1: Permission denied; ports below 1024 need privileges\n")

    def test_without_ipv6_it_listens_on_ipv4(self):
        real = socket.socket

        def no_ipv6(family=socket.AF_INET, *rest, **more):
            if family == getattr(socket, "AF_INET6", None):
                raise socket.error(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            return real(family, *rest, **more)

        for broken in (("socket", no_ipv6), ("has_ipv6", False)):
            saved = getattr(socket, broken[0])
            setattr(socket, broken[0], broken[1])
            try:
                listener = self.dul.open_listener("", 0)
            finally:
                setattr(socket, broken[0], saved)
            self.assertEqual(listener.family, socket.AF_INET)
            listener.close()

    def test_it_answers_on_ipv4_and_ipv6(self):
        program = Program(self)
        addresses = [("127.0.0.1", program.port)]
        try:
            real = socket.socket(socket.AF_INET6)
            real.bind(("::1", 0))
            real.close()
            addresses.append(("::1", program.port))
        except (socket.error, AttributeError):
            pass
        for address in addresses:
            with Peer(address) as peer:
                peer.associate()
                self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())

    def test_alone_in_an_empty_folder_it_answers_and_leaves_nothing_behind(self):
        path, program = alone(self)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        running = Program(self, "-v", command=[sys.executable, "-S", program], cwd=path, env=environment)
        with Peer(running.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        self.assertEqual(running.end(), -signal.SIGTERM)
        self.assertEqual(os.listdir(path), ["echoscp.py"])

    def test_a_port_out_of_range_never_reaches_the_network(self):
        self.assertEqual(run(self, ["65536"])[0], 2)


def open_text(name):
    """The text of a small file."""
    with open(name) as source:
        return source.read()


both_forms(Stop)
both_forms(Start)

if __name__ == "__main__":
    unittest.main()
