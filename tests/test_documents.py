"""What the documents say is what the program does."""
import hashlib
import io
import logging
import os
import re
import socket
import struct
import sys
import threading
import unittest

from process import Program, folder, need_posix, run
from support import (
    FORMS, ROOT, LogCapture, both_forms, good_echo, monotonic, project, serve, skip_in_wine, skip_loudly,
    wait_until)
from test_foreign import client_hello, server_name, supported_versions
from wire import (
    APPLICATION_CONTEXT, CT_IMAGE, IMPLICIT, RELEASE_RP, RELEASE_RQ, VERIFICATION, Peer, abort, associate_rq, command,
    context, echo_command, echo_rq, element, item, p_data, pdu, pdv, us, user_information)

MR_IMAGE = b"1.2.840.10008.5.1.4.1.1.4"
JPEG_LOSSLESS = b"1.2.840.10008.1.2.4.70"
made = project.made()
ONE_FILE_FORM = FORMS[-1]
README_PEER, README_SECONDS, README_PORT = "10.1.2.3:40312", 30, 11112
PEER = re.compile(r"127\.0\.0\.1:\d+")
FEW = 9                 # warnings that one program prints about one address without counting any
LOSSES = 12             # records that a full queue drops, in the README's example


# ---- README's table of diagnoses: what causes each line

def sends(data):
    """A peer that sends this, says that nothing more comes, and reads the answer."""
    def cause(peer):
        try:
            peer.send(data).finish()
        except socket.error:        # it is reset where the server has closed already
            pass
    return cause


def waits(data):
    """A peer that sends this and waits for the server to close."""
    return lambda peer: peer.send(data).rest()


def echoes(peer):
    """A peer that has its echo, and closes."""
    peer.associate()
    peer.send(echo_rq()).pdu()


def echoes_for_images(peer):
    """A peer whose C-ECHO-RQ names another SOP class than its context."""
    peer.associate()
    peer.send(p_data(pdv(echo_command(sop_class=CT_IMAGE)))).pdu()
    peer.send(RELEASE_RQ).pdu()


def vanishes(peer):
    """A peer whose connection is reset in the middle of its association."""
    peer.associate()
    peer.reset()


def aborts(peer):
    """A peer that finds a mistake in what it gets."""
    peer.associate()
    peer.send(abort(2, 6)).rest()


def stays(peer):
    """A peer that keeps its association open and says nothing."""
    peer.associate()
    peer.rest()


def never_reads(peer):
    """A peer that sends requests until the server gives it up, and reads no answer."""
    peer.associate()
    try:
        while True:
            peer.send(echo_rq() * 1000)
    except socket.error:
        pass


PLAIN = (               # causes of one line each, from a program without options that matter
    sends(client_hello(0x0303, [server_name(b"pacs.example"), supported_versions(0x0304)])),
    sends(b"\x80\x2e\x01\x00\x02\x00" + b"\0" * 42),
    sends(b"GET /status?patient=7 HTTP/1.1\r\nHost: pacs\r\n\r\n"),
    sends(b"\x0bMSH|^~\\&|LAB|HOSPITAL|||20260101||ORU^R01|1|P|2.5\r\x1c\r"),
    sends(b"SSH-2.0-OpenSSH_9.2p1\r\n"), sends(b"\0\0\0\xd0\xfeSMB@\0"),
    sends(b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"),
    sends(b"DESCRIBE rtsp://pacs/ RTSP/1.0\r\n"), sends(b"OPTIONS sip:pacs SIP/2.0\r\n"), sends(b"USER anonymous\r\n"),
    sends(b"EHLO mail.example\r\n"), sends(b"hello\r\n"), sends(b"hi"),
    sends(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 104\r\n" + associate_rq()),
    sends(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + associate_rq()),
    sends(associate_rq([context(1, CT_IMAGE), context(3, CT_IMAGE), context(5, MR_IMAGE)])),
    sends(associate_rq([context(1, VERIFICATION, (JPEG_LOSSLESS,))])), sends(associate_rq([])),
    sends(associate_rq() + p_data(pdv(echo_command(field=1)))), echoes_for_images,
    sends(associate_rq(application=b"1.2.3")), sends(associate_rq(version=2)),
    sends(associate_rq()[:76] + b"\xff\xff" + associate_rq()[78:]), sends(p_data(pdv(b"ab"))),
    lambda peer: peer.associate(), vanishes, echoes, aborts)
SLOW = (                # the same with -ta 1 -td 1
    waits(b""), waits(associate_rq()[:22]), stays, never_reads)


class Diagnoses(unittest.TestCase):
    """Each line of README's table is printed by the released file, and has a cause here."""

    dul = ONE_FILE_FORM

    def setUp(self):
        rows = made.diagnoses(project.read("README.rst"))
        self.shown = [line for printed, _, _ in rows for line in printed]
        self.due = set(self.shown)

    def printed(self, lines):
        """Check lines of the program against the table, and return what the table has of them."""
        known = set()
        for line in lines:
            line = re.sub(r" in 1 s \(-t", " in %d s (-t" % README_SECONDS, line)
            line = re.sub(r" for 1 s in ", " for %d s in " % README_SECONDS, line)
            line = PEER.sub(README_PEER, line)
            line = re.sub("connection lost: .*? in Sta", "connection lost: Connection reset by peer in Sta", line)   # Windows
            if line.startswith("W: %s: " % README_PEER):
                line = line[len("W: %s: " % README_PEER):]
            self.assertIn(line, self.due)
            known.add(line)
        return known

    def peers(self, options, causes):
        """What the program prints of these peers, one after the other: one line each besides the manual's."""
        lines, program = [], None
        for number, cause in enumerate(causes):
            if not number % FEW:
                program = Program(self, options)
                told = 0
            with Peer(program.address, receive_buffer=4096) as peer:
                cause(peer)
            told += 1

            def explained(program=program):
                return [line for line in program.err.splitlines(True) if re.match(r"[WI]: 127.*\n", line)]
            wait_until(lambda: len(explained()) == told, lambda: "%d lines in %s" % (told, program.err))
            lines.append(explained()[-1].strip())
        return self.printed(lines)

    def test_what_peers_cause(self):
        found = self.peers("-v", PLAIN)
        skip_in_wine("makes an end of a reset")
        self.assertEqual(len(found), len(PLAIN))

    def test_what_slow_peers_cause(self):
        found = set()

        def one(cause):
            """Each has a program of its own, so that all wait at the same time."""
            options = "-ta 1 -td 1" + ("" if cause is never_reads else " -v")    # it has many echoes
            found.update(self.peers(options, [cause]))
        threads = [threading.Thread(target=one, args=(cause,)) for cause in SLOW]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), len(SLOW))

    def test_a_connection_without_a_byte(self):
        capture, server = LogCapture(self, logging.WARNING), serve(self)
        for _ in range(3):
            Peer(server.address).close()
        capture.saw("connected and sent nothing")
        server.stop()
        self.assertEqual(len(self.printed(capture.lines())), 1)
        self.assertEqual(len(capture.lines()), 1)

    def test_too_many_associations(self):
        capture, server = LogCapture(self, logging.WARNING), serve(self)
        with Peer(server.address) as first:
            first.associate()
            server.admission.established = self.dul.MOST_ASSOCIATIONS
            for connection in server.admission.all():
                connection.active = monotonic() - 3 * 3600 - 60
            with Peer(server.address) as second:
                self.assertEqual(second.associate()[:1], b"\x03")
            wait_until(lambda: len(capture.lines()) == 2, "both lines")
            lines = capture.lines()
            server.admission.established = 1
        self.assertEqual(len(self.printed(lines)), 2)

    def test_too_many_connections(self):
        capture, server = LogCapture(self, logging.WARNING), serve(self)
        server.pool.most = 3
        peers = [Peer(server.address) for _ in range(4)]
        try:
            capture.saw("closed here")
            capture.saw("too many connections")
        finally:
            for peer in peers:
                peer.close()
        server.stop()
        self.assertEqual(len(self.printed(line for line in capture.lines() if "sent nothing" not in line)), 2)

    def test_more_warnings_than_are_shown(self):
        capture, server = LogCapture(self, logging.WARNING), serve(self)
        for _ in range(self.dul.WARNINGS_OF_ONE + 3):
            with Peer(server.address) as peer:
                sends(b"hello\r\n")(peer)
        server.stop()
        self.assertEqual(len(capture.lines()), self.dul.WARNINGS_OF_ONE + 1)
        self.assertEqual(len(self.printed(capture.lines())), 2)

    def test_a_log_that_takes_no_more(self):
        lines, taking, go_on = [], threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def block(record):
            taking.set()
            go_on.wait()
            if record.levelno == logging.WARNING:
                lines.append("W: " + record.getMessage())
        LogCapture(self, logging.INFO, block)
        writer = self.dul.LogWriter()
        record = self.dul.new_record(logging.INFO, "Association Received", {})
        writer.put(record)
        taking.wait(20)
        for _ in range(self.dul.QUEUE_LIMIT + LOSSES):
            writer.put(record)
        go_on.set()
        wait_until(lambda: lines, "the number of dropped lines is logged")
        self.assertEqual(len(self.printed(lines)), 1)
        self.assertIn("queue of %d records" % self.dul.QUEUE_LIMIT, " ".join(project.read("README.rst").split()))

    def test_no_more_descriptors(self):
        try:
            import resource
        except ImportError:
            skip_loudly("this system has no limit of descriptors")
        command = [sys.executable, "-c", "import resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
                   "sys.path.insert(0, %r)\nfrom echoscp import main\nmain()" % ROOT]
        self.assertTrue(resource)
        program = Program(self, "", command=command)
        peers = []
        try:
            for _ in range(30):
                peers.append(Peer(program.address))
            program.saw("out of file descriptors")
        finally:
            for peer in peers:
                peer.close()
        line = [line for line in program.err.splitlines() if "out of file" in line][:1]
        self.assertEqual(len(self.printed(line)), 1)

    def test_a_port_that_cannot_be_had(self):
        need_posix("\"Address already in use\", which README shows")
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        status, _, err = run(self, [str(port)])
        self.assertEqual((status, len(self.printed([err.strip().replace(str(port), str(README_PORT))]))), (1, 1))
        command = [sys.executable, "-c", "import errno, os, sys\nsys.path.insert(0, %r)\nimport echoscp\n"
                   "def refuse(*_):\n    raise OSError(errno.EACCES, os.strerror(errno.EACCES))\n"
                   "echoscp.EchoServer.server_bind = refuse\nechoscp.main()" % ROOT]
        status, _, err = run(self, ["104"], command=command)
        self.assertEqual((status, len(self.printed([err.strip()]))), (1, 1))

    def test_no_line_is_shown_twice_and_each_has_a_cause(self):
        self.assertEqual(len(self.shown), len(self.due))
        others = 1 + 2 + 2 + 1 + 1 + 1 + 2      # what the tests above cause that are neither in PLAIN nor in SLOW
        self.assertEqual(len(self.due), len(PLAIN) + len(SLOW) + others)


def conversation(request=None, *messages):
    """An A-ASSOCIATE-RQ, messages (one C-ECHO-RQ where none is given), A-RELEASE-RQ."""
    return (request or associate_rq()) + b"".join(messages or [echo_rq()]) + RELEASE_RQ


def items_of(data):
    """The variable items of an A-ASSOCIATE-RQ, one after the other."""
    found, offset = [], 74
    while offset < len(data):
        length = struct.unpack(">H", data[offset + 2:offset + 4])[0]
        found.append(data[offset:offset + 4 + length])
        offset += 4 + length
    return found


def reordered(order):
    """An A-ASSOCIATE-RQ whose items stand in another order, or repeatedly."""
    items = items_of(associate_rq())
    return pdu(1, associate_rq()[6:74] + b"".join([items[number] for number in order]))


ECHO = echo_command()
GOOD = (2, 4, 6)        # types of the answering PDUs: A-ASSOCIATE-AC, P-DATA-TF, A-RELEASE-RP
FILLER = item(0x99, b"")

# CONFORMANCE's leniencies: what is sent for each row, and the types of the answers
LENIENCIES = {
    "items and sub-items of unknown type": [
        (conversation(associate_rq(extra=item(0x77, b"x"), user=user_information(item(0x77, b"y")))), GOOD)],
    "items in any order": [(conversation(reordered((2, 1, 0))), GOOD)],
    "50H missing": [(conversation(associate_rq(user=b"")), GOOD)],
    "51H missing": [(conversation(associate_rq(user=user_information(maximum=None))), GOOD)],
    "52H missing": [(conversation(associate_rq(user=item(0x50, item(0x51, b"\0\0\x40\0")))), GOOD)],
    "a second 10H, 50H or sub-item": [
        (conversation(associate_rq(extra=item(0x10, b"1.2.3"))), GOOD),
        (conversation(associate_rq(extra=item(0x50, item(0x51, b"\0\0\0\1")))), GOOD),
        (conversation(associate_rq(user=user_information(item(0x51, b"\0\0\0\1")))), GOOD)],
    "even presentation context ID": [(conversation(associate_rq([context(2)]), echo_rq(1, 2)), GOOD)],
    "presentation context ID 0": [(conversation(associate_rq([context(0)]), echo_rq(1, 0)), GOOD)],
    "repeated presentation context ID": [(conversation(associate_rq([context(1, CT_IMAGE), context(1)])), GOOD)],
    "UID padded with NULs or spaces": [
        (conversation(associate_rq([context(1, VERIFICATION + b"\0", (b" " + IMPLICIT + b"\0\0",))],
                                   application=APPLICATION_CONTEXT + b"\0 ")), GOOD)],
    "abstract or transfer syntax that is not a UID": [
        (conversation(associate_rq([context(1), context(3, b"\xff"), context(5, VERIFICATION, (b"x",))])), GOOD)],
    "AE titles of spaces or NULs alone, or with other characters": [
        (conversation(associate_rq(called=b" ", calling=b"\0" * 16)), GOOD),
        (conversation(associate_rq(called=b"A\\B\x1b\xff")), GOOD)],
    "reserved bytes with any value": [(conversation(associate_rq(reserved=b"\xff" * 32)), GOOD)],
    "protocol version with further bits": [(conversation(associate_rq(version=0x8003)), GOOD)],
    "fragment with an odd number of bytes, or none": [
        (conversation(None, p_data(pdv(ECHO[:5], 1, 1), pdv(b"", 1, 1), pdv(ECHO[5:], 1, 3))), GOOD)],
    "message control header with further bits": [(conversation(None, p_data(pdv(ECHO, 1, 0xFF))), GOOD)],
    "several PDVs in one P-DATA-TF, a command set in several PDUs": [
        (conversation(None, p_data(pdv(ECHO), pdv(ECHO))), (2, 4, 4, 6)),
        (conversation(None, p_data(pdv(ECHO[:20], 1, 1)), p_data(pdv(ECHO[20:]))), GOOD)],
    "(0000,0002) missing": [(conversation(None, p_data(pdv(echo_command(sop_class=None)))), GOOD)],
    "(0000,0000) missing or wrong": [
        (conversation(None, p_data(pdv(ECHO[12:]))), GOOD),
        (conversation(None, p_data(pdv(ECHO[:8] + b"\xff" * 4 + ECHO[12:]))), GOOD)],
    "unknown elements, elements in any order or of odd length": [
        (conversation(None, p_data(pdv(command(element(0x800, us(0x101)), element(0x110, us(1)), element(0x700, us(0)),
                                               element(0x5000, b"x"), element(0x100, us(0x30)))))), GOOD)],
    "P-DATA-TF after our own A-RELEASE-RQ": [],      # see the test
}

# CONFORMANCE's limits: what stands in the row, what just passes, what does not, and how that is answered
LIMITS = (
    ("A-ASSOCIATE-RQ (PS3.8 9.3.2)", "1048576 bytes", "", conversation(associate_rq(
        extra=item(0x77, b"x" * 65531) * 15 + item(0x77, b"x" * (1048576 + 6 - len(associate_rq()) - 15 * 65535 - 4)))), GOOD,
     b"\1\0\0\x10\0\1", (7,)),
    ("presentation contexts (PS3.8 9.3.2.2)", "128", "",
     conversation(associate_rq([context(1)] * 128)), GOOD, associate_rq([context(1)] * 129), (7,)),
    ("items, sub-items and listed UIDs of an A-ASSOCIATE-RQ", "10000", "",
     conversation(associate_rq(extra=FILLER * (10000 - 7))), GOOD, associate_rq(extra=FILLER * (10001 - 7)), (7,)),
    ("PDVs of a P-DATA-TF (PS3.8 9.3.5.1)", "10000", "-pdu 0",
     conversation(None, p_data(pdv(b"", 1, 1) * 9999, pdv(ECHO))), GOOD,
     conversation(None, p_data(pdv(b"", 1, 1) * 10000, pdv(ECHO))), (2, 7)),
    ("command set (PS3.7 6.3.1), reassembled", "65536 bytes", "-pdu 0",
     conversation(None, p_data(pdv(command(element(0x9999, b"x" * (65536 - len(ECHO) - 8)), ECHO[12:], length=0)))), GOOD,
     conversation(None, p_data(pdv(command(element(0x9999, b"x" * (65537 - len(ECHO) - 8)), ECHO[12:], length=0)))), (2, 7)),
    ("Affected SOP Class UID (PS3.5 9.1)", "64 bytes", "", conversation(None, p_data(pdv(echo_command(1, b"1." + b"2" * 62)))),
     GOOD, conversation(None, p_data(pdv(echo_command(1, b"1." + b"2" * 63)))), (2, 7)),
    ("P-DATA-TF (PS3.8 9.3.5), whatever ``-pdu``, PDU-length", "1048576 bytes", "-pdu 0",
     b"", (), conversation(None, b"\4\0\0\x10\0\1"), (2, 7)),
    ("maximum length that the peer announces (PS3.8 D.1)", "at least 8", "",
     conversation(associate_rq(user=user_information(maximum=8))), (2,) + (4,) * 39 + (6,),
     conversation(associate_rq(user=user_information(maximum=7))), (2, 7)),
    ("associations at the same time", "4096", "", b"", (), b"", ()),
)


def table_rows(text, name):
    """The first cells of a list-table between ``.. NAME begin`` and ``end``, without its head."""
    return [" ".join(row.split("\n     - ")[0].split()) for row in made.between(text, name).split("\n   * - ")[2:]]


class Statement(object):
    """docs/CONFORMANCE.rst."""

    def setUp(self):
        self.text = project.read("docs", "CONFORMANCE.rst")

    def test_the_facts_about_us_are_those_of_the_program(self):
        dul, words = self.dul, " ".join(self.text.split())
        for label, value in (("Implementation class UID", dul.IMPLEMENTATION_CLASS.decode()),
                             ("Implementation version name", dul.IMPLEMENTATION_VERSION.decode()),
                             ("Application context name", dul.APPLICATION_CONTEXT_NAME.decode()),
                             ("Maximum PDU size received", "%d bytes; 128 to 4294967295" % dul.Settings().maximum_length),
                             ("Simultaneous associations", str(dul.MOST_ASSOCIATIONS)),
                             ("Maximum PDU size sent", "as the peer announces; %d bytes" % dul.MINIMUM_MAXIMUM_LENGTH),
                             ("ARTIM (``-ta``)", "%d s" % dul.Settings().acse_timeout)):
            self.assertIn("%s %s" % (label, value), words)

    def answers(self, server, data):
        """The types of the PDUs that come back for these bytes, until the server closes."""
        types = []
        with Peer(server.address) as peer:
            peer.send(data)
            peer.sock.shutdown(socket.SHUT_WR)
            while True:
                answer = peer.pdu()
                if not answer:
                    return tuple(types)
                types.append(ord(answer[:1]))

    def test_each_leniency_is_one(self):
        server = serve(self)
        self.assertEqual(set(table_rows(self.text, "leniencies")), set(LENIENCIES))
        for name, cases in LENIENCIES.items():
            for data, due in cases:
                self.assertEqual(self.answers(server, data), due, name)
        with serve(self, on_event=lambda notice: notice.kind == "accepted" and notice.handle.release()) as server:
            with Peer(server.address) as peer:
                peer.associate()
                self.assertEqual(peer.pdu(), RELEASE_RQ)
                peer.send(echo_rq() + RELEASE_RP)
                self.assertEqual(peer.finish(), b"")

    def test_each_limit_is_one(self):
        servers = {"": serve(self), "-pdu 0": serve(self, maximum_length=0)}
        rows = made.between(self.text, "limits").splitlines()[3:-1]
        self.assertEqual(len(rows), len(LIMITS))
        for name, limit, option, good, answers, bad, refusals in LIMITS:
            self.assertEqual(len([row for row in rows if row.startswith(name) and limit in row]), 1, name)
            if good:
                self.assertEqual(self.answers(servers[option], good), answers, name)
            if bad:
                self.assertEqual(self.answers(servers[option], bad), refusals, name)
        for value, limit in ((self.dul.LARGEST_RQ, "1048576 bytes"), (self.dul.MOST_ITEMS, "10000"),
                             (self.dul.LARGEST_COMMAND_SET, "65536 bytes"), (self.dul.MOST_CONTEXTS, "128"),
                             (self.dul.MOST_ASSOCIATIONS, "4096"), (self.dul.MINIMUM_MAXIMUM_LENGTH, "8"),
                             (self.dul.UID_LENGTH, "64 bytes")):
            self.assertEqual(str(value), limit.split()[0])

    def test_the_rejects_are_all_that_the_program_has(self):
        due = {getattr(self.dul, name) for name in dir(self.dul) if name.startswith("REJECT_")
               and isinstance(getattr(self.dul, name), tuple)}
        found = re.findall(r"^([12])      ([123])      (\d)      (\S+)", self.text, re.MULTILINE)
        self.assertEqual({tuple(int(each) for each in row[:3]) for row in found}, due)
        for row in found:
            self.assertEqual(self.dul.REJECT_REASONS[int(row[1]), int(row[2])], row[3])

    def test_the_aborts_are_all_that_the_program_has(self):
        due = {getattr(self.dul, name) for name in dir(self.dul) if name.startswith("ABORT_")
               and isinstance(getattr(self.dul, name), tuple)}
        section = self.text.split("Association abort\n")[1].split("\nDIMSE\n")[0]
        found = re.findall(r"^([02])      (\d)      (\S+(?: \S+)*)  ", section, re.MULTILINE)
        self.assertEqual({(int(row[0]), int(row[1])) for row in found}, due)
        for source, reason, words in found:
            self.assertEqual(words, self.dul.ABORT_REASONS[int(reason)] if source == "2" else self.dul.ABORT_SOURCES[0])

    def test_contexts_results_and_statuses_are_the_programs(self):
        dul = self.dul
        syntaxes = re.findall(r"^Verification SOP Class  1\.2\.840\.10008\.1\.1  (.+?)  +(\S+) +SCP", self.text, re.MULTILINE)
        self.assertEqual({uid for _, uid in syntaxes}, {uid.decode() for uid in dul.PREFER_LOCAL})
        for name, uid in syntaxes:
            self.assertEqual(dul.UID_NAMES[uid], name)
        results = re.findall(r"^(\d)      ([a-z-]+)  ", self.text, re.MULTILINE)
        self.assertEqual({(int(number), words) for number, words in results},
                         {(number, dul.CONTEXT_RESULTS[number]) for number in (0, 3, 4)})
        statuses = re.findall(r"^(\w{4})H  (\S+(?: \S+)*)  ", self.text, re.MULTILINE)
        self.assertEqual({(int(number, 16), words) for number, words in statuses}, set(dul.STATUS_NAMES.items()))


class Readme(object):
    """README.rst."""

    def setUp(self):
        self.text = project.read("README.rst")

    def test_its_options_are_the_programs_own_table(self):
        shown = self.text.split(".. options begin\n\n::\n\n")[1].split("\n.. options end")[0]
        self.assertEqual("".join([line[4:] for line in shown.splitlines(True)]).strip(), self.dul.OPTION_LINES.strip())

    def test_its_first_command_does_what_it_says(self):
        self.assertTrue(re.search(r"^    python (echoscp\.py) (11112)$", self.text, re.MULTILINE))
        program = Program(self, "-v")
        good_echo(program.address)
        program.end()
        lines = "".join(["    %s\n" % line for line in program.err.splitlines()])
        self.assertEqual(lines.count("\n"), 4)
        self.assertIn("::\n\n" + lines + "\n", self.text)

    def test_what_it_says_of_debug(self):
        program = Program(self, "-d")
        with Peer(program.address) as first:
            first.associate()
            good_echo(program.address)
            self.assertIn("Sta2 + Evt6 -> AE-6 -> Sta3", self.text)
            program.saw("Sta2 + Evt6 -> AE-6 -> Sta3")
            wait_until(lambda: re.search(r"^I: \[2 127\.0\.0\.1:\d+\] Association Released$", program.err, re.MULTILINE),
                       "the second connection's lines begin with its number and peer")
            self.assertIn("``[2 %s]``" % README_PEER, self.text)
        program.end()
        self.assertIn("2 connections, at most 2 at once; 1 echo", program.err.splitlines()[-1])

    def test_telnet_is_told_each_time_and_a_silent_connect_once(self):
        program = Program(self, "")
        for _ in range(3):
            for data in (b"hello\r\n", b""):
                with Peer(program.address) as peer:
                    sends(data)(peer)
        program.saw("not DICOM", 3)
        program.end()
        lines = [PEER.sub(README_PEER, line) for line in program.err.splitlines() if "not DICOM" in line]
        self.assertEqual(len(lines), 3)
        self.assertIn("::\n\n    %s\n\n" % lines[0], self.text)
        self.assertLessEqual(program.err.count("sent nothing"), 1)

    def test_the_numbers_it_names(self):
        words = " ".join(self.text.split())
        for part in ("up to %d associations" % self.dul.MOST_ASSOCIATIONS, "queue of %d records" % self.dul.QUEUE_LIMIT,
                     "with ``-ta 0`` these two are limited to %d seconds" % self.dul.CLOSING_SECONDS,
                     "%d of them leave no place" % self.dul.MOST_ASSOCIATIONS):
            self.assertIn(part, words)
        self.assertEqual(self.dul.SEND_LIMIT, self.dul.CLOSING_SECONDS)
        self.assertIn("first ten a minute from one address are printed, and a hundred a minute from all", words)
        self.assertEqual((self.dul.WARNINGS_OF_ONE, self.dul.WARNINGS_OF_ALL), (10, 100))

    def test_the_logging_example_shows_the_peer_once_in_a_line(self):
        path = folder(self)
        program = Program(self, ["-lc", os.path.join(ROOT, "docs", "logging.ini")], cwd=path, env=dict(
            os.environ, PYTHONPATH=ROOT))
        with Peer(program.address) as first:
            first.associate(calling=b"FIRST")
            with Peer(program.address) as peer:
                peer.associate(calling=b"MODALITY")
                peer.reset()
            name = os.path.join(path, "echoscp.log")

            def lines():
                with io.open(name) as source:
                    return [line for line in source if "MODALITY -> ECHOSCP]" in line]
            wait_until(lambda: len(lines()) == 3, "the lines are in the file")
        skip_in_wine("makes an end of a reset")
        for line, words in zip(lines(), ("Association Received", "Association Accepted", "connection lost: ")):
            self.assertTrue(line.split("ECHOSCP] ")[1].startswith(words), line)
            self.assertEqual(len(PEER.findall(line)), 1)

    def test_the_attributes_of_a_record_are_named(self):
        capture = LogCapture(self, logging.INFO)
        good_echo(serve(self).address)
        named = set(re.findall(r"``%\((\w+)\)s``", self.text)) - {"message"}
        self.assertEqual(named, set(self.dul.NO_PEER) | {"text"})
        for name in named:
            self.assertTrue(hasattr(capture.records[0], name), name)

    def test_every_kind_of_notice_is_named(self):
        paragraph = self.text.split("A notice has a kind:")[1].split("\n\n")[0]
        self.assertEqual(set(re.findall(r"``(\w+)``", paragraph)) - {"sentence"}, set(self.dul.NOTICES))
        for kind in self.dul.NOTICES:
            self.assertIn("``%s``" % kind, self.dul.Notice.__doc__)

    # ---- its examples of tests, as they stand there

    def example(self, name):
        """The code between ``.. NAME begin`` and ``end``, run; returns its names and what my_client.verify() was given."""
        lines = made.between(self.text, name).split("::\n\n")[1].splitlines()
        given = []

        def verify(host, port):
            """A client that is tested."""
            good_echo((host, port))
            given.append((host, port))
            return True
        names = {"my_client": Client(verify)}
        present = dict((module, sys.modules.get(module)) for module in ("dul", "pytest"))
        sys.modules["dul"] = self.dul
        if name == "pytest":
            sys.modules["pytest"] = Client(None)
        try:
            exec(compile("\n".join(line[4:] for line in lines), "README.rst", "exec"), names)
        finally:
            for module, value in present.items():
                if value is None:
                    sys.modules.pop(module, None)
                else:
                    sys.modules[module] = value
        return names, given

    def test_the_server_in_a_test(self):
        self.assertEqual(len(self.example("embedding")[1]), 1)

    def test_the_fixture_of_pytest(self):
        names, given = self.example("pytest")
        fixture = names["echo_server"]()
        server = next(fixture)
        names["test_my_client"](server)
        self.assertEqual(given, [server.address])
        self.assertEqual(list(fixture), [])
        self.assertTrue(server.stopping)

    def test_the_case_of_unittest(self):
        names, given = self.example("unittest")
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(names["MyClient"]).run(result)
        self.assertEqual((result.testsRun, result.errors, result.failures, len(given)), (1, [], [], 1))


class Client(object):
    """Stands for a module in an example: the client under test, or pytest."""

    def __init__(self, verify):
        self.verify = verify

    @staticmethod
    def fixture(function):
        """pytest.fixture."""
        return function


class Pytest(unittest.TestCase):
    """README's fixture in pytest, where that is installed."""

    def test_the_fixture_in_pytest_itself(self):
        try:
            import pytest
        except ImportError:
            skip_loudly("pytest is not installed: README's fixture is run without it alone")
        path = folder(self)
        lines = made.between(project.read("README.rst"), "pytest").split("::\n\n")[1].splitlines()
        code = "\n".join([line[4:] for line in lines])
        with io.open(os.path.join(path, "test_readme.py"), "w") as target:
            target.write("import sys\nsys.path[:0] = [%r, %r]\n%s\n\n\nimport support as my_client\n"
                         "my_client.verify = lambda *address: my_client.good_echo(address) > 0\n" % (
                             ROOT, os.path.join(ROOT, "tests"), code))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_readme.py"]
        status, out, err = run(self, [], command=command, cwd=path)
        self.assertEqual(status, 0, out + err)
        self.assertIn("1 passed", out)
        self.assertTrue(pytest)


class Links(unittest.TestCase):
    """What the documents point to is there."""

    def test_every_link_and_every_file_that_is_named(self):
        for path in (("README.rst",), ("docs", "CONTRIBUTING.rst"), ("docs", "CONFORMANCE.rst"), ("docs", "CHANGELOG.rst")):
            text = project.read(*path)
            for target in re.findall(r"`[^`]+ <([^>]+)>`__|^\.\. image:: (\S+)", text, re.MULTILINE):
                self.assertTrue(os.path.exists(os.path.join(ROOT, *(path[:-1] + ("".join(target),)))), target)
            for name in re.findall(r"``((?:docs|tests|dul|\.ci)/[\w.@/-]*)``", text):
                self.assertTrue(os.path.exists(os.path.join(ROOT, name)), name)

    def test_on_an_index_no_link_is_dead(self):
        text = project.long_description()
        self.assertEqual(re.findall(r"`[^`]+ <[^>]+>`_", text), [])
        self.assertIn("``docs/CONFORMANCE.rst``: the DICOM conformance statement", text)


class Contributing(unittest.TestCase):
    """docs/CONTRIBUTING.rst."""

    def setUp(self):
        self.text = project.read("docs", "CONTRIBUTING.rst")

    def test_the_halves_are_those_of_the_one_file(self):
        rows = [re.findall(r"^``(\w+)``", made.between(self.text, name), re.MULTILINE)
                for name in ("protocol half", "host half")]
        self.assertEqual(tuple(rows[0] + rows[1]), project.MODULES)
        self.assertEqual(rows[0][-1], "association")

    def test_what_it_says_where_to_find_is_there(self):
        rows = re.findall(r"^\S.*?  +``(.+?)``  +``(.+?)``$", made.between(self.text, "where"), re.MULTILINE)
        self.assertGreater(len(rows), 15)
        for words, path in rows:
            self.assertIn(words, project.read(*path.split("/")))

    def test_the_files_that_are_made(self):
        rows = re.findall(r"^``python setup.py (\w+)``  +``(.+?)``", made.between(self.text, "made"), re.MULTILINE)
        self.assertEqual(dict(rows), dict((name, os.path.relpath(command[0], ROOT).replace(os.sep, "/"))
                                          for name, command in project.COMMANDS.items()))

    def test_how_the_tests_are_run(self):
        self.assertIn("\n    python -m unittest discover -s tests\n", self.text)
        names = re.findall(r"python -m unittest (test_\S+)", self.text)
        self.assertEqual(len(names), 3)
        self.assertEqual(unittest.defaultTestLoader.loadTestsFromName(names[-1]).countTestCases(), 1)


class Made(unittest.TestCase):
    """What is made from the sources is fresh."""

    def test_the_manual_page(self):
        self.assertEqual(project.make("manpage", check=True), 0)
        text = project.read("docs", "echoscp.1")
        sections = re.findall(r"^\.SH (.+)", text, re.MULTILINE)
        self.assertEqual(sections, ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "DICOM CONFORMANCE", "EXIT STATUS",
                                    "SIGNALS", "ENVIRONMENT", "DIAGNOSTICS", "EXAMPLES", "SEE ALSO"])
        for spelling in FORMS[0].read_options(FORMS[0].OPTION_LINES)[0]:
            self.assertIn("\\fB%s\\fR" % spelling.replace("-", "\\-"), text)

    def test_formatters_have_nothing_to_say_about_it(self):
        path, tried = os.path.join(ROOT, "docs", "echoscp.1"), 0
        for program in (["groff", "-ww", "-z", "-t", "-man", "-Tascii", path], ["mandoc", "-Tlint", path],
                        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path]):
            try:
                status, out, err = run(self, program[1:], command=program[:1])
            except EnvironmentError:
                continue
            self.assertEqual((status, "" if program[0] == "man" else out, err), (0, "", ""), program)
            tried += 1
        if not tried:
            skip_loudly("groff, mandoc and man are not here: the manual page is not formatted")

    def test_the_picture_of_the_state_machine(self):
        self.assertEqual(project.make("states", check=True), 0)
        try:
            self.assertIn("<svg", made.states_svg())
        except EnvironmentError:
            skip_loudly("graphviz is not here: the picture is not drawn anew, its source is compared")

    def test_its_bold_way_is_one_of_the_machine(self):
        cells = dict(((state, event), following) for state, event, action, following in made.steps()
                     if (action, following) != ("AE-6", "Sta13"))
        self.assertEqual([cells[step] for step in made.GOOD_ECHO],
                         ["Sta2", "Sta3", "Sta6", "Sta6", "Sta6", "Sta8", "Sta13", "Sta1"])


class Release(unittest.TestCase):
    """docs/CHANGELOG.rst."""

    def test_the_newest_entry_is_this_version_with_the_sum_of_the_one_file(self):
        text = project.read("docs", "CHANGELOG.rst")
        self.assertEqual(re.search(r"^(\d+\.\d+\.\d+)$", text, re.MULTILINE).group(1), project.version())
        newest = re.split(r"^\d+\.\d+\.\d+$", text, flags=re.MULTILINE)[1]
        with io.open(project.ONE_FILE, "rb") as source:
            self.assertIn(hashlib.sha256(source.read()).hexdigest(), newest)
        self.assertIn("git checkout v%s\n" % project.version(), newest)


both_forms(Statement)
both_forms(Readme)

if __name__ == "__main__":
    unittest.main()
