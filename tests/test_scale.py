"""More than one processor, more than one machine: instances that share a port, a load balancer, a probe."""
import csv
import io
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import unittest

from process import HAND_OVER, Program, folder, need_files, need_posix
from support import ROOT, as_program, monotonic, skip_loudly, wait_until
from test_real_peers import found, need
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp

DOCS = os.path.join(ROOT, "docs")
ENOUGH = 10         # associations that show that an instance gets its part
AT_ONCE = 40        # held open at once, and that all of them go to one of two instances does not happen (2 ** -39)
WORKERS = 8


def bound(case, reuse=False, port=0, listen=True):
    """A socket on the loopback, open until the test ends, as systemd keeps it."""
    sock = socket.socket()
    case.addCleanup(sock.close)
    if reuse:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    if listen:
        sock.listen(1024)
    if hasattr(sock, "set_inheritable"):
        sock.set_inheritable(True)
    return sock


def start(case, sock, arguments="", processor=None, **options):
    """The program on this socket, bound to one processor where one is given."""
    bind = [] if processor is None else ["taskset", "-c", str(processor)]
    return Program(case, arguments, listener=sock, wait=False, command=bind + case.dul.COMMAND, **options)


def processors():
    """Two processors, or twice the only one; None twice where nothing can be bound to one."""
    if not found("taskset"):
        return [None, None]
    if hasattr(os, "sched_getaffinity"):
        have = sorted(os.sched_getaffinity(0))
    else:
        have = list(range(multiprocessing.cpu_count()))
    return (have + have)[:2]


def verify(address):
    """One association with an echo: an empty string, or how it failed."""
    try:
        with Peer(address) as peer:
            answer = peer.associate()
            if answer[:1] != b"\x02":
                return "%r for A-ASSOCIATE-AC" % answer
            answer = peer.send(echo_rq()).pdu()
            if answer != echo_rsp():
                return "%r for C-ECHO-RSP" % answer
            answer = peer.send(RELEASE_RQ).pdu()
            return "" if answer == RELEASE_RP else "%r for A-RELEASE-RP" % answer
    except socket.error as error:
        return repr(error)


class Load(object):
    """Threads that make one association after another, each until it is told to stop."""

    def __init__(self, address):
        self.address = address
        self.over = threading.Event()
        self.good = [0] * WORKERS
        self.failures = [[] for _ in range(WORKERS)]
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(WORKERS)]
        for thread in self.threads:
            thread.daemon = True
            thread.start()

    def work(self, number):
        while not self.over.is_set():
            failure = verify(self.address)
            if failure:
                self.failures[number].append(failure)
            else:
                self.good[number] += 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)


class Instances(object):
    """Two on one port, each with a socket of its own that the service manager keeps (docs/echoscp@.socket)."""

    def setUp(self):
        if not sys.platform.startswith("linux") or not hasattr(socket, "SO_REUSEPORT"):
            skip_loudly("nothing here spreads connections over two sockets on one port")
        self.socks = [bound(self, reuse=True)]
        self.address = self.socks[0].getsockname()
        self.socks.append(bound(self, reuse=True, port=self.address[1]))
        self.processors = processors()
        self.programs = [start(self, sock, "-v", each) for sock, each in zip(self.socks, self.processors)]

    def accepted(self):
        """How many associations each has accepted."""
        return [program.err.count("Association Accepted") for program in self.programs]

    def test_both_get_associations_and_each_stays_on_its_processor(self):
        asked = []

        def both_have_some():
            asked.append(verify(self.address))
            self.assertEqual(asked[-1], "")
            return min(self.accepted()) >= ENOUGH
        wait_until(both_have_some, "both have answered, one association after another")
        wait_until(lambda: sum(self.accepted()) == len(asked), "each association is counted once")
        before = self.accepted()
        peers = [Peer(self.address) for _ in range(AT_ONCE)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.send(associate_rq())
        for peer in peers:
            self.assertEqual(peer.pdu()[:1], b"\x02")
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
        wait_until(lambda: sum(self.accepted()) == sum(before) + AT_ONCE, "these are, too")
        for now, then in zip(self.accepted(), before):
            self.assertGreater(now, then)
        for peer in peers:
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        for program, processor in zip(self.programs, self.processors):
            if processor is not None:
                with io.open("/proc/%d/status" % program.process.pid) as status:
                    self.assertIn("Cpus_allowed_list:\t%d\n" % processor, status.read())
            self.assertEqual(program.end(), -signal.SIGTERM)
            self.assertNotIn("W:", program.err)

    def test_one_is_restarted_under_load_and_only_what_was_open_in_it_fails(self):
        load = Load(self.address)
        self.addCleanup(load.stop)
        wait_until(lambda: min(self.accepted()) >= ENOUGH, "both are at work")
        self.assertEqual(load.failures, [[]] * WORKERS)
        self.assertEqual(self.programs[0].end(), -signal.SIGTERM)
        again = start(self, self.socks[0], "-v", self.processors[0])
        wait_until(lambda: again.process.poll() is not None or again.err.count("Association Released") >= ENOUGH,
                   "the new one answers what waited")
        self.assertIsNone(again.process.poll(), again.err)
        for number in range(WORKERS):   # each has come through since
            before = load.good[number]
            wait_until(lambda: load.good[number] > before + 1, "every client is answered again")
        load.stop()
        for failures in load.failures:  # a client has one association open at a time
            self.assertLessEqual(len(failures), 1, load.failures)
        for program in (again, self.programs[1]):
            self.assertEqual(program.end(), -signal.SIGTERM)
            self.assertEqual((program.err.count("W:"), program.err.count("Aborting")), (0, 0))


class Restarted(object):
    """One, on a socket that the service manager keeps."""

    def setUp(self):
        need_posix("service manager that hands over sockets")

    def test_what_comes_once_it_stops_waits_for_the_next(self):
        sock = bound(self)
        program = start(self, sock)
        with Peer(sock.getsockname()) as open_one, Peer(sock.getsockname(), receive_buffer=2048) as stuck:
            open_one.associate()
            stuck.associate()
            stuck.sock.settimeout(0.5)
            try:
                while True:     # until it waits for this peer, which holds up its end
                    stuck.send(echo_rq() * 100)
            except (socket.timeout, socket.error):
                pass
            program.signal(signal.SIGTERM)
            self.assertEqual(open_one.rest(), abort(0, 0))      # now it stops
            late = [Peer(sock.getsockname()) for _ in range(AT_ONCE)]
            for peer in late:
                self.addCleanup(peer.close)
                peer.send(associate_rq())
            self.assertEqual(program.end(None), -signal.SIGTERM)
        start(self, sock)
        for peer in late:
            self.assertEqual(peer.pdu()[:1], b"\x02")
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)


class Quiet(object):
    """A program at the default level, and all that it says on standard error."""

    def quiet(self, sock):
        path = os.path.join(folder(self), "stderr")
        with io.open(path, "wb") as log:
            return start(self, sock, stderr=log), path

    def said_nothing(self, path):
        with io.open(path) as log:
            self.assertEqual(log.read(), "")


class Balanced(Quiet):
    """docs/haproxy.cfg, with the addresses and the seconds of a test."""

    INTERVAL, FALL = 0.1, 2     # seconds between checks; checks that fail until a host is taken out

    def setUp(self):
        need_posix("HAProxy")
        need("haproxy")
        need_files(1024)
        self.socks = [bound(self), bound(self)]
        (self.first, self.first_log), (self.second, self.second_log) = [self.quiet(sock) for sock in self.socks]
        front = bound(self, listen=False)
        self.address = front.getsockname()
        path = folder(self)
        self.control = os.path.join(path, "control")
        with io.open(os.path.join(DOCS, "haproxy.cfg")) as source:
            text = source.read()
        for old, new in (("\nglobal\n", "\nglobal\n    stats socket %s\n" % self.control),
                         ("bind :104\n", "bind fd@3\n"),
                         ("192.0.2.1:104", "127.0.0.1:%d" % self.socks[0].getsockname()[1]),
                         ("192.0.2.2:104", "127.0.0.1:%d" % self.socks[1].getsockname()[1]),
                         ("inter 5s fastinter 1s fall %d" % self.FALL, "inter 100ms fall %d" % self.FALL),
                         ("timeout check 3s", "timeout check 1s")):
            self.assertEqual(text.count(old), 1, old)
            text = text.replace(old, new)
        with io.open(os.path.join(path, "haproxy.cfg"), "w") as config:
            config.write(text)
        with io.open(os.path.join(path, "stderr"), "wb") as log:
            process = subprocess.Popen(["/bin/sh", "-c", HAND_OVER % ("", ""), "sh", "haproxy", "-db", "-f", config.name],
                                       close_fds=True, stdin=front, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def both_checked():
            try:
                return self.checks() == ["L7OK", "L7OK"]
            except socket.error:    # haproxy does not listen there yet
                return False
        wait_until(both_checked, "haproxy runs, and both have answered a check's C-ECHO")

    def table(self):
        """haproxy's own table: a row for each host."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(20)
            sock.connect(self.control)
            sock.sendall(b"show stat\n")
            text = b"".join(iter(lambda: sock.recv(65536), b"")).decode("ascii")
        finally:
            sock.close()
        rows = {row["svname"]: row for row in csv.DictReader(text.lstrip("# ").splitlines())}
        return rows["one"], rows["two"]

    def checks(self):
        return [row["check_status"].lstrip("* ") for row in self.table()]

    def served(self):
        return [int(row["stot"]) for row in self.table()]

    def state(self):
        """Of the first."""
        return self.table()[0]["status"]

    def test_both_get_associations_and_a_dead_one_is_taken_out_while_traffic_goes_on(self):
        for _ in range(ENOUGH):
            self.assertEqual(verify(self.address), "")
        self.assertGreater(min(self.served()), 0)
        self.first.kill()
        self.socks[0].close()       # nobody listens there any more
        died = monotonic()

        def taken_out():
            self.assertEqual(verify(self.address), "")
            return self.state() == "DOWN"
        wait_until(taken_out, "the checks find it out")
        self.assertLess(monotonic() - died, self.INTERVAL * self.FALL + 5)
        for _ in range(ENOUGH):
            self.assertEqual(verify(self.address), "")
        self.assertEqual(self.second.end(), -signal.SIGTERM)
        self.said_nothing(self.second_log)
        self.said_nothing(self.first_log)

    def test_one_that_hangs_is_taken_out_too_and_comes_back(self):
        self.first.process.send_signal(signal.SIGSTOP)      # the kernel goes on to accept connections for it
        wait_until(lambda: self.state() == "DOWN", "the checks find it out")
        self.assertEqual(self.checks()[0], "L7TOUT")
        before = self.served()
        for _ in range(ENOUGH):
            self.assertEqual(verify(self.address), "")
        self.assertEqual([now - then for now, then in zip(self.served(), before)], [0, ENOUGH])
        self.first.process.send_signal(signal.SIGCONT)
        wait_until(lambda: self.state() == "UP", "it is taken back")

        def has_some():
            self.assertEqual(verify(self.address), "")
            return self.served()[0] > before[0]
        wait_until(has_some, "it gets associations again")
        self.assertEqual(self.second.end(), -signal.SIGTERM)
        self.said_nothing(self.second_log)


class Probe(Quiet):
    """docs/probe.py."""

    def probe(self, *arguments):
        process = subprocess.Popen([sys.executable, os.path.join(DOCS, "probe.py")] + [str(each) for each in arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate()
        self.assertEqual((out.count(b"\n"), err), (1, b""), out)
        return process.returncode, out.decode("ascii")

    def test_it_is_content_with_the_program_which_logs_nothing(self):
        need_posix("socket that can be handed over")
        sock = bound(self)
        program, log = self.quiet(sock)
        host, port = sock.getsockname()
        for _ in range(3):
            self.assertEqual(self.probe(host, port), (0, "OK: C-ECHO from %s port %d\n" % (host, port)))
        self.assertEqual(program.end(), -signal.SIGTERM)
        self.said_nothing(log)

    def test_it_says_why_in_one_line_where_nobody_answers(self):
        host, port = bound(self, listen=False).getsockname()
        status, line = self.probe(host, port)
        self.assertEqual(status, 2)
        self.assertTrue(line.startswith("CRITICAL: no C-ECHO from %s port %d: " % (host, port)), line)

    def test_it_is_not_content_with_what_is_no_echo(self):
        sock = bound(self)
        answers = [b"SSH-2.0-OpenSSH_9.2\r\n", b"", abort(0, 0)]

        def answer():
            for each in answers:
                connection = sock.accept()[0]
                connection.recv(65536)
                connection.sendall(each)
                connection.close()
        thread = threading.Thread(target=answer)
        thread.daemon = True
        thread.start()
        for _ in answers:
            status, line = self.probe(*sock.getsockname())
            self.assertEqual(status, 2)
            self.assertIn("is no A-ASSOCIATE-AC", line)
        thread.join(20)

    def test_without_host_and_port_it_says_how_it_is_used(self):
        status, line = self.probe()
        self.assertEqual(status, 3)
        self.assertTrue(re.match(r"probe\.py HOST PORT: ", line), line)


as_program(Instances)
as_program(Restarted)
as_program(Balanced)
as_program(Probe)

if __name__ == "__main__":
    unittest.main()
