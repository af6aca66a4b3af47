"""Ctrl-C, SIGTERM, SIGHUP: at every moment, in a terminal, as the first process of a container."""
import os
import signal
import socket
import subprocess
import sys
import unittest

from process import POSIX, STOP, Program, ended_by, listening, main_module, need_files, need_linux, need_posix, script
from support import as_program, good_echo, monotonic, skip_loudly, skip_with_pypy
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if POSIX else (STOP,)
GENEROUS = 10.0     # seconds; two are promised, on a machine that does nothing else; a send may take 30
MANY = 1000
HELD = 12           # associations that hold the stop up

# Sends itself SIGINT at one moment of its start: where a function of this name is entered, or where a statement of the
# one file begins with these words.
INTERRUPTED = '''
import runpy, signal
moment, command = sys.argv[1], sys.argv[2:]
lines = []
if command[1] != "-m":
    with open(command[1]) as source:
        lines = [number for number, line in enumerate(source, 1) if line.startswith(moment)]

def trace(frame, event, _):
    code = frame.f_code
    if os.path.basename(code.co_filename) in (
            "echoscp.py", "cli.py", "options.py", "service.py", "server.py", "pool.py", "compat.py"):
        if code.co_name == moment or code.co_name == "<module>" and frame.f_lineno in lines:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
        return trace

sys.settrace(trace)
if command[1] == "-m":
    sys.argv[:] = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)
else:
    sys.argv[:] = command[1:]
    runpy.run_path(command[1], run_name="__main__")
'''
ENTERED = ("fill_standard_files", "parse", "handed_over", "serve", "raise_file_limit", "open",
           "schedule_as_batch", "set_up_log", "learn_uid_names", "ending_signals", "wake_on_signal", "notify", "serve_forever",
           "grow")
BEGUN = ("import collections", "class Association", "class EchoServer", "__version__")

# Becomes the program in a session of its own whose terminal is standard input.
IN_TERMINAL = script("import fcntl, termios\nos.setsid()\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
                     "os.execv(sys.argv[1], sys.argv[1:])\n")


class Stop(object):
    """A signal to a program that serves."""

    def end(self, program, number=STOP):
        """It ends by this signal, soon, and without a traceback."""
        start = monotonic()
        self.assertEqual(program.end(number), ended_by(number))
        self.assertLess(monotonic() - start, GENEROUS)
        self.assertNotIn("Traceback", program.err)

    def associated(self, program, count=1, **options):
        """Peers with an association each."""
        peers = []
        for _ in range(count):
            peers.append(Peer(program.address, **options))
            self.addCleanup(peers[-1].close)
            peers[-1].send(associate_rq())
        for peer in peers:
            self.assertEqual(peer.pdu()[:1], b"\x02")
        return peers

    def fill(self, program):
        """A peer with an association that reads none of its answers, until the program cannot send any more."""
        peer, = self.associated(program, receive_buffer=2048)
        peer.sock.settimeout(0.5)
        with self.assertRaises(socket.error):
            while True:
                peer.send(echo_rq() * 100)

    def test_idle_it_ends_by_the_signal_without_a_word(self):
        for number in NUMBERS:
            program = Program(self, "-v")
            self.end(program, number)
            self.assertEqual((program.out, program.err), ("", ""))

    def test_open_associations_are_aborted(self):
        for number in NUMBERS:
            program = Program(self, "-v")
            with Peer(program.address) as waiting:
                waiting.send(associate_rq()[:30])
                established, = self.associated(program)
                self.assertEqual(established.send(echo_rq()).pdu(), echo_rsp())
                self.end(program, number)
                self.assertEqual(established.rest(), abort(0, 0))
                try:
                    self.assertEqual(waiting.rest(), b"")
                except socket.error:    # a reset, because not all of its bytes had been read
                    pass
            self.assertEqual(program.err.splitlines(), [
                "I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
                "I: Aborting Association"])

    def test_a_thousand_open_ones_are_aborted_too(self):
        need_files(MANY + 200)
        command = None
        if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
            # All of them run at once then, on however few processors: they have more than STOP_POLITELY for it
            command = script("import %s as program, %s as pool\n"
                             "pool.STOP_POLITELY, pool.STOP_LIMIT = %d, %d\nprogram.main()\n" % (
                                 main_module(self), main_module(self).replace("cli", "pool"), GENEROUS - 2, GENEROUS - 1))
        program = Program(self, command=command)
        peers = self.associated(program, MANY, timeout=120.0)
        self.end(program)
        self.assertEqual(set(peer.rest() for peer in peers), set([abort(0, 0)]))
        self.assertEqual(program.err, "")

    def test_a_peer_that_does_not_read_does_not_delay_the_end(self):
        need_posix("sockets that can be handed over with small buffers")
        program = Program(self, listener=listening(self, buffers=4096))
        self.fill(program)
        self.end(program)

    def test_a_second_signal_kills_at_once(self):
        need_posix("second signal")
        program = Program(self, listener=listening(self, buffers=4096))
        self.fill(program)      # the stop waits for this one
        reading, = self.associated(program)
        program.signal(signal.SIGTERM)
        self.assertEqual(reading.pdu(), abort(0, 0))     # it is stopping, and not at its end
        self.assertEqual(program.end(signal.SIGINT), -signal.SIGINT)
        self.assertEqual(program.err, "")

    def test_a_signal_that_was_ignored_stays_ignored(self):
        need_posix("signals that can be ignored")
        for word, number in (("HUP", signal.SIGHUP), ("INT", signal.SIGINT)):
            if number == signal.SIGINT:
                skip_with_pypy("does not tell whether SIGINT was ignored when it began")
            program = Program(self, before="trap '' %s;" % word)
            program.signal(number)
            good_echo(program.address)
            self.end(program)

    def test_while_an_association_is_being_served_nothing_is_left_half_said(self):
        program = Program(self, "-v")
        with Peer(program.address) as peer:
            peer.associate()
            answer = peer.send(echo_rq() * HELD + RELEASE_RQ).read(len(echo_rsp()) * HELD + len(RELEASE_RP))
            self.assertEqual(answer, echo_rsp() * HELD + RELEASE_RP)
            self.end(program)
            self.assertEqual(peer.rest(), b"")
        self.assertEqual(program.err.splitlines()[-1], "I: Association Released")


class Starting(object):
    """Ctrl-C before it serves."""

    def test_ctrl_c_ends_it_by_sigint_and_silently_from_the_first_statement_on(self):
        need_posix("signal that a process sends itself")
        moments = ENTERED + (BEGUN + ("main",) if self.dul.FORM == "one file" else ())
        programs = [Program(self, wait=False, command=script(INTERRUPTED) + [moment] + self.dul.COMMAND)
                    for moment in moments]
        for program, moment in zip(programs, moments):
            self.assertEqual((program.end(None), program.out, program.err), (-signal.SIGINT, "", ""), moment)

    def test_ctrl_c_in_a_terminal(self):
        need_posix("pseudo-terminals")
        import pty
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        program = Program(self, "-d", command=IN_TERMINAL + self.dul.COMMAND, own=True, stdin=slave, stdout=slave,
                          stderr=slave)
        os.close(slave)
        shown = b""
        while b"Listening on port" not in shown:
            shown += os.read(master, 4096)
        os.write(master, b"\x03")
        self.assertEqual(program.end(None), -signal.SIGINT)
        try:
            data = b"more"
            while data:
                data = os.read(master, 4096)
                shown += data
        except OSError:         # the terminal is gone
            pass
        self.assertNotIn(b"Traceback", shown)


class Container(object):
    """The first process of a container, to which the default action of a signal does not apply."""

    def test_each_signal_ends_it_with_128_and_its_number(self):
        need_linux("process namespaces")
        apart = ["unshare", "--fork", "--pid", "--kill-child"]
        try:
            with open(os.devnull, "r+b") as nowhere:
                allowed = subprocess.call(apart + ["true"], stdout=nowhere, stderr=nowhere) == 0
        except OSError:
            allowed = False
        if not allowed:
            skip_loudly("this user may not make a process namespace")
        for number in NUMBERS:
            program = Program(self, command=apart + self.dul.COMMAND, own=True)
            with open("/proc/%d/task/%d/children" % (program.process.pid, program.process.pid)) as children:
                first = int(children.read())
            os.kill(first, number)
            self.assertEqual((program.end(None), program.err), (128 + number, ""))


for each in (Stop, Starting, Container):
    as_program(each)

if __name__ == "__main__":
    unittest.main()
