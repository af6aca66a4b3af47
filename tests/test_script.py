"""The one file gives back the memory that compiling it took."""
import os
import signal
import sys
import threading
import unittest

from process import Program, folder, free_port, run
from support import ROOT, both_forms, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp

TREE = 3000     # kB: half of what the syntax tree takes


def memory(process):
    """(most that it ever had, what it has) in kB."""
    with open("/proc/%d/status" % process.pid) as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["VmHWM"].split()[0]), int(lines["VmRSS"].split()[0])


class Script(object):
    """outlive_script()."""

    def where(self, keeps, glibc=True):
        """Pretend that this is a Python that keeps the syntax tree, or is not."""
        module = self.dul if self.dul.FORM == "one file" else sys.modules["dul.script"]
        for name, value in (("KEEPS_SYNTAX_TREE", keeps), ("on_glibc", lambda: glibc)):
            self.addCleanup(setattr, module, name, getattr(module, name))
            setattr(module, name, value)

    def run_script(self, serve):
        """A script that hands over ``serve``; returns (exit status, output, standard error)."""
        script = "import os, sys, threading\nsys.path.insert(0, %r)\nfrom %s import outlive_script\n%s" % (
            ROOT, "echoscp" if self.dul.FORM == "one file" else "dul.script", serve)
        status, out, err = run(self, [], command=[sys.executable, "-c", script], cwd=folder(self))
        return status, out.split(), err

    def test_it_gives_the_memory_back_and_serves_on(self):
        program = Program(self)
        if self.dul.FORM == "one file" and self.dul.KEEPS_SYNTAX_TREE and self.dul.on_glibc():
            wait_until(lambda: memory(program.process)[1] < memory(program.process)[0] - TREE, "the tree is gone")
        peers = [Peer(program.address) for _ in range(20)]      # more than there are threads: some start after that
        for peer in peers:
            self.addCleanup(peer.close)
            peer.associate()
        for peer in peers:
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        program.end()
        self.assertEqual((program.out, program.err), ("", ""))

    def test_elsewhere_it_does_nothing(self):
        for keeps, glibc in ((False, True), (True, False)):
            self.where(keeps, glibc)
            called = []
            self.assertFalse(self.dul.outlive_script(lambda: called.append(1), called.append))
            self.assertEqual(called, [])

    def test_without_a_thread_it_does_nothing(self):
        if not hasattr(signal, "pthread_sigmask"):
            self.skipTest("older than any Python that keeps the syntax tree")

        def no_thread(thread):
            raise RuntimeError("can't start new thread")
        self.where(True)
        self.addCleanup(setattr, threading.Thread, "start", threading.Thread.start)
        threading.Thread.start = no_thread
        called = []
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self.assertFalse(self.dul.outlive_script(lambda: called.append(1), called.append))
        self.assertEqual((called, signal.pthread_sigmask(signal.SIG_BLOCK, [])), ([], before))

    def test_it_goes_on_when_the_script_has_ended(self):
        if not self.dul.KEEPS_SYNTAX_TREE or not self.dul.on_glibc():
            self.skipTest("this Python frees the syntax tree by itself")
        self.assertEqual(self.run_script(
            "def serve():\n"
            "    threading.main_thread().join()\n"
            "    os.write(1, b'served')\n"
            "    os._exit(3)\n"
            "assert outlive_script(serve, None)\n"
            "os.write(1, b'ended ')\n"), (3, ["ended", "served"], ""))

    def test_every_signal_is_told_whenever_it_comes(self):
        if not self.dul.KEEPS_SYNTAX_TREE or not self.dul.on_glibc():
            self.skipTest("this Python frees the syntax tree by itself")
        script = ("import signal\n"
                  "def serve():\n"
                  "    os.kill(os.getpid(), signal.SIGTERM)\n"
                  "    threading.Event().wait()\n"
                  "def stop(number):\n"
                  "    os.write(1, b'%%d ' %% number)\n"
                  "    if number == signal.SIGHUP:\n"
                  "        os._exit(0)\n"
                  "    os.kill(os.getpid(), signal.SIGHUP)\n"
                  "assert outlive_script(serve, stop)\n")
        for _ in range(20):
            self.assertEqual(self.run_script(script.replace("%%", "%")), (0, ["15", "1"], ""))

    def test_a_fault_is_told_and_is_the_exit_status(self):
        script = "outlive_script(lambda: {}['a fault of ours'], None) or {}['a fault of ours']"
        status, _, err = self.run_script(script)
        self.assertEqual((status, err.strip().splitlines()[-1]), (1, "KeyError: 'a fault of ours'"))

    def test_debug_and_a_logging_configuration_import_what_wants_a_running_script(self):
        script = ("def tell(word):\n"
                  "    os.write(1, word.encode('ascii'))\n"
                  "    os._exit(0)\n"
                  "from %s import EchoServer, main\n"
                  "EchoServer.serve_forever = lambda *_: tell('served')\n"
                  "main([%r] + %r, lambda serve, stop: tell('launched'))\n")
        configuration = os.path.join(ROOT, "docs", "logging.ini")
        for options, word in (([], "launched"), (["-v"], "launched"), (["-ll", "error"], "launched"), (["-d"], "served"),
                              (["-ll", "debug"], "served"), (["-lc", configuration], "served")):
            module = "echoscp" if self.dul.FORM == "one file" else "dul.cli"
            self.assertEqual(self.run_script(script % (module, str(free_port()), options))[:2], (0, [word]), options)


both_forms(Script)

if __name__ == "__main__":
    unittest.main()
