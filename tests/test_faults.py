"""Load and faults: peers that vanish, floods, and a system that has no room left."""
import os
import socket
import subprocess
import unittest

from process import ENDED, POSIX, Program, environment, main_module, need_files, need_linux, need_posix, script
from support import ROOT, as_program, good_echo, monotonic, serve, skip_loudly, skip_with_pypy, wait_until
from wire import (
    CT_IMAGE, RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, context, echo_rq, echo_rsp, reject)

SILENT = 1000
HELD = 1500
MOST = 20           # associations at once, where 4096 would take long
PATIENT = 120.0     # seconds until one peer of many gives up, or until all are served; never waited for in full


def processor_seconds(pid):
    """What a process has used so far."""
    with open("/proc/%d/stat" % pid) as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / float(os.sysconf("SC_CLK_TCK"))


class Case(object):
    """What the tests of this module share."""

    def connect(self, address, count, data=b""):
        """So many peers that have sent ``data``, closed after the test."""
        peers = []
        for _ in range(count):
            peers.append(Peer(address, PATIENT))
            self.addCleanup(peers[-1].close)
            peers[-1].send(data)
        return peers


class Peers(Case):
    """Peers that do what they like."""

    def test_a_good_echo_behind_a_thousand_silent_peers(self):
        need_files(2 * SILENT + 200)
        server = serve(self)
        self.connect(server.address, SILENT)
        wait_until(lambda: len(server.admission.connections) == SILENT, "all are accepted", PATIENT)
        for _ in range(5):
            good_echo(server.address)
        self.assertGreaterEqual(len(server.admission.connections), SILENT)

    def test_many_held_at_once_and_the_next_one_is_rejected(self):
        need_files(2 * HELD + 200)
        server = serve(self, max_associations=HELD)
        peers = self.connect(server.address, HELD, associate_rq())
        self.assertEqual(set(peer.pdu()[:1] for peer in peers), set([b"\x02"]))
        with Peer(server.address, PATIENT) as peer:
            self.assertEqual(peer.associate(), reject(2, 3, 2))
            self.assertEqual(peer.finish(), b"")
        for peer in peers:
            peer.send(echo_rq())
        self.assertEqual(set(peer.pdu() for peer in peers), set([echo_rsp()]))
        for peer in peers:
            peer.close()
        wait_until(lambda: not server.admission.established, "all are over", PATIENT)
        good_echo(server.address)
        wait_until(lambda: server.pool.threads <= self.dul.IDLE_THREADS + self.dul.SPARE_THREADS,
                   "the threads that are not needed have ended", PATIENT)

    def test_released_and_rejected_peers_that_keep_tcp_open_use_no_place(self):
        server = serve(self, max_associations=MOST)
        for _ in range(3 * MOST):
            peer, = self.connect(server.address, 1, associate_rq())
            self.assertEqual(peer.pdu()[:1], b"\x02")
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        for peer in self.connect(server.address, MOST, associate_rq([context(1, CT_IMAGE)])):
            self.assertEqual((peer.pdu()[:1], peer.pdu()), (b"\x02", abort(0, 0)))
        self.assertEqual(server.admission.established, 0)
        self.assertEqual(len(server.admission.connections), 4 * MOST)       # and they are still open
        for peer in self.connect(server.address, MOST, associate_rq()):
            self.assertEqual(peer.pdu()[:1], b"\x02")
        self.assertEqual(self.connect(server.address, 1, associate_rq())[0].pdu(), reject(2, 3, 2))


class NoRoom(Case):
    """Descriptors, threads and memory run out: it slows down, says so once, never spins, and recovers."""

    def test_out_of_descriptors(self):
        need_linux("/proc, which tells the processor time of a process")
        program = Program(self, "-ta 1", before="ulimit -n 64;")
        before, start = processor_seconds(program.process.pid), monotonic()
        peers = self.connect(program.address, 80)
        program.saw("out of file descriptors")
        for peer in peers[:40]:
            peer.close()
        for peer in peers[40:]:     # each is accepted, when those before it have been closed
            self.assertEqual(peer.rest(), b"")
        used, took = processor_seconds(program.process.pid) - before, monotonic() - start
        self.assertLess(used, took / 2)
        good_echo(program.address)
        self.assertEqual(program.end(), ENDED)
        self.assertEqual(program.err.count("out of file descriptors"), 1, program.err)
        self.assertNotIn("Traceback", program.err)

    def test_an_ordinary_user_without_threads(self):
        if not POSIX or os.getuid() != 0:
            skip_loudly("only root can become a user of whom nothing else runs")
        command = script("import %s as program\nimport logging, resource, encodings.idna\n"
                         "os.setgid(54321)\nos.setuid(54321)\nresource.setrlimit(resource.RLIMIT_NPROC, (8, 8))\n"
                         "program.main()\n" % main_module(self))
        program = Program(self, "-v", command=command)
        peers = self.connect(program.address, 20)
        program.saw("out of threads or memory")
        for peer in peers:
            peer.close()
        good_echo(program.address)
        self.assertEqual(program.end(), ENDED)
        self.assertEqual((program.err.count("out of threads"), program.err.count("Traceback")), (1, 0), program.err)

    def test_out_of_memory_it_never_stops_answering_for_good_and_prints_nothing_when_quiet(self):
        need_linux("limit of the address space")
        skip_with_pypy("ends a process for which it has no memory (SIGABRT)")
        roomy = Program(self, "-q")
        with open("/proc/%d/status" % roomy.process.pid) as status:
            size = int([line.split()[1] for line in status if line.startswith("VmSize:")][0])
        roomy.kill()
        program = Program(self, "-q", before="ulimit -v %d;" % (size + 16384))      # kB: room for some threads more
        requests = [associate_rq()[:2] + b"\0\x0f\xff\xff" + b"x" * 500000, b"", associate_rq(), associate_rq()[:100]]
        peers = []
        for _ in range(30):
            for data in requests:
                peer = Peer(program.address)
                peers.append(peer)
                self.addCleanup(peer.close)
                peer.sock.setblocking(False)
                try:
                    peer.sock.send(data)
                except socket.error:
                    pass
        for peer in peers:
            peer.close()
        self.echo_soon(program)
        self.assertEqual((program.end(), program.out), (ENDED, ""))
        # A thread that CPython cannot even call a function in is told of by CPython itself, whatever the level.
        self.assertEqual([line for line in program.err.splitlines() if line[1:3] == ": " or "Traceback" in line], [], program.err)

    def echo_soon(self, program):
        """An echo is answered, at last."""
        def answered():
            try:
                return good_echo(program.address, timeout=2) > 0
            except (AssertionError, socket.error):      # this one was the victim of the shortage
                return False
        wait_until(answered, "an echo is answered")

    def test_memory_is_not_taken_for_a_length(self):
        need_posix("module resource")
        command = script("sys.path.insert(0, %r)\nimport logging, resource, struct\nfrom wire import *\n"
                         "logging.getLogger('echoscp').addHandler(logging.NullHandler())\n"
                         "logging.getLogger('echoscp').propagate = False\n"
                         "from support import good_echo\nfrom %s import EchoServer\n"
                         "server = EchoServer(port=0, maximum_length=0).start()\n"
                         "peers = []\n"
                         "good_echo(server.address)\n"
                         "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
                         "for kind, length in ((1, 1048576), (4, 1048576), (4, 0xffffffff), (1, 0xffffffff)) * 25:\n"
                         "    p = Peer(server.address)\n    peers.append(p)\n"
                         "    if kind == 4:\n        p.associate()\n"
                         "    p.send(struct.pack('>BxI', kind, length) + b'x' * 100)\n"
                         "good_echo(server.address)\n"
                         "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\nserver.stop()\n"
                         % (os.path.join(ROOT, "tests"), "echoscp" if self.dul.FORM == "one file" else "dul.server"))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
        self.assertLess(int(process.communicate()[0]), 20 * 1024)   # kB, for a hundred peers that announce some 200 GB


as_program(Peers)
as_program(NoRoom)

if __name__ == "__main__":
    unittest.main()
