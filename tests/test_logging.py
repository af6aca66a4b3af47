"""What is logged, where to, and that logging harms nobody."""
import io
import os
import socket
import unittest

from process import Program, folder, run
from support import both_forms, wait_until
from wire import (
    CT_IMAGE, RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, context, echo_command, echo_rq, echo_rsp, element, item,
    p_data, pdv, user_information)

GOOD = ["I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
        "I: Association Released"]
CONFIGURATION = """
[loggers]
keys=root,echoscp
[handlers]
keys=target
[formatters]
keys=line
[logger_root]
handlers=
[logger_echoscp]
level=%s
handlers=target
qualname=echoscp
propagate=0
[handler_target]
class=%s
formatter=line
args=%s
[formatter_line]
format=%%(levelname)s|%%(association)s|%%(peer)s|%%(calling)s|%%(called)s|%%(message)s
"""


def good_echo(program, message_id=1):
    """One association that is as it should be."""
    with Peer(program.address) as peer:
        peer.associate()
        answer = peer.send(echo_rq(message_id)).pdu()
        released = peer.send(RELEASE_RQ).pdu()
        return answer == echo_rsp(message_id) and released == RELEASE_RP and peer.finish() == b""


def foreign_service(program):
    """One association that is aborted."""
    with Peer(program.address) as peer:
        peer.send(associate_rq([context(1, CT_IMAGE), context(3, CT_IMAGE)]))
        return peer.pdu()[:1] == b"\x02" and peer.pdu() == abort(0, 0) and peer.finish() == b""


def text_of(name):
    """The text of a file."""
    with io.open(name) as source:
        return source.read()


class Levels(object):
    """-q, -v, -d, -ll."""

    def lines(self, arguments, done="\n"):
        program = Program(self, arguments)
        self.assertTrue(good_echo(program))
        self.assertTrue(foreign_service(program))
        if done:
            program.saw("this is an echo server")
        self.assertEqual(program.end(), -15)
        self.assertEqual(program.out, "")
        return program.err.splitlines()

    def explanation(self, line):
        self.assertRegex(line, r"^W: 127\.0\.0\.1:\d+: proposed 2 contexts, no Verification: .*: this is an echo server$")

    def test_verbose_prints_the_manuals_lines_and_one_explanation_after_them(self):
        for arguments in ("-v", "-ll info"):
            lines = self.lines(arguments)
            self.assertEqual(lines[:-1], GOOD + ["I: Association Received", "I: Association Accepted",
                                                 "I: Aborting Association"])
            self.explanation(lines[-1])

    def test_the_default_is_silent_while_all_is_well_and_explains_what_is_not(self):
        for arguments in ("", "-ll warning"):
            lines = self.lines(arguments)
            self.assertEqual(len(lines), 1)
            self.explanation(lines[0])

    def test_error_critical_and_quiet_print_nothing_of_it(self):
        for arguments in ("-ll error", "--log-level=critical", "-q"):
            self.assertEqual(self.lines(arguments, None), [])

    def test_debug_opens_as_the_manual_shows_and_dumps(self):
        for arguments in ("-d", "-ll debug"):
            lines = self.lines(arguments)
            self.assertEqual(lines[:2], ["D: $echoscp.py v" + self.dul.VERSION, "D: "])
            self.assertIn("D: Listening on port", lines[2])
            start = lines.index("I: Association Received")
            self.assertEqual(lines[start + 1:start + 4], [
                "D: Request Parameters:", "D: ====================== BEGIN A-ASSOCIATE-RQ =============================",
                "D: Their Implementation Class UID: 1.2.3.4"])
            for due in ("D: Sta2 + Evt6 -> AE-6 -> Sta3", "D: Sta6 + Evt10 -> DT-2 -> Sta6", "D: Sta6 + Evt9 -> DT-1 -> Sta6",
                        "D: Sta8 + Evt14 -> AR-4 -> Sta13", "D: Sta6 + Evt15 -> AA-1 -> Sta13"):
                self.assertIn(due, lines)
            self.assertEqual([line for line in lines if line.startswith("I: ")][:4], GOOD)
            self.assertRegex(lines[-1], r"^D: \d+ connections, at most \d+ at once; 1 echoes, the slowest "
                                        r"\d+\.\d ms; 1 released, 0 rejected, 1 aborted here, ")
            self.assertTrue(all(line[:3] in ("D: ", "I: ", "W: ") for line in lines))

    def test_a_port_in_use_is_one_line_and_exit_status_1_and_quiet_keeps_even_that(self):
        program = Program(self)
        for arguments, due in (([], 1), (["-q"], 0), (["-ll", "critical"], 1)):
            status, out, err = run(self, [str(program.port)] + arguments)
            self.assertEqual((status, out, err.count("\n")), (1, "", due))
            self.assertTrue(err == "" or err.startswith("C: cannot listen on port %d: Address already in use" % program.port))


class Configuration(object):
    """-lc."""

    def configure(self, kind, arguments, level="DEBUG"):
        name = os.path.join(folder(self), "log.ini")
        with io.open(name, "w") as target:
            target.write(u"" + CONFIGURATION % (level, kind, arguments))
        return name

    def test_it_sends_to_a_file_with_the_attributes_of_every_record(self):
        target = os.path.join(folder(self), "echoscp.log")
        for kind in ("FileHandler", "handlers.RotatingFileHandler"):
            name = self.configure(kind, "(%r, 'a')" % target)
            program = Program(self, ["-lc", name])
            self.assertTrue(good_echo(program) and foreign_service(program))
            wait_until(lambda: "echo server" in text_of(target), "the explanation is in the file")
            program.end()
            self.assertEqual(program.err, "")
            lines = text_of(target).splitlines()
            os.remove(target)
            self.assertTrue(all(line.count("|") >= 5 for line in lines))
            self.assertTrue(any(line.startswith("DEBUG|-|-|-|-|Listening on port") for line in lines), lines[:3])
            echoes = [line for line in lines if "Received Echo Request" in line]
            self.assertRegex(echoes[0], r"^INFO\|\d+\|127\.0\.0\.1:\d+\|TESTER\|ECHOSCP\|Received Echo Request \(M")

    def test_a_level_option_sets_the_level_and_the_file_the_rest(self):
        target = os.path.join(folder(self), "echoscp.log")
        for level, option, due in (("CRITICAL", "-v", True), ("DEBUG", "-q", False), ("DEBUG", "-ll=x", None),
                                   ("DEBUG", "--log-level=error", False), ("INFO", "", True)):
            if due is None:
                continue
            name = self.configure("FileHandler", "(%r, 'w')" % target, level)
            program = Program(self, ["--log-config", name] + ([option] if option else []))
            self.assertTrue(good_echo(program))
            program.end()
            self.assertEqual("INFO|" in text_of(target), due, (level, option))
            self.assertNotIn("DEBUG|", text_of(target))

    def test_it_sends_to_syslog(self):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        name = self.configure("handlers.SysLogHandler", "(('127.0.0.1', %d),)" % receiver.getsockname()[1], "INFO")
        program = Program(self, ["-lc", name])
        self.assertTrue(good_echo(program))
        while b"|Association Released" not in receiver.recv(4096):
            pass

    def test_a_missing_or_broken_file_is_one_line_and_exit_status_2(self):
        path = folder(self)
        names = [os.path.join(path, "missing"), path]
        for number, text in enumerate((u"", u"nonsense", u"[loggers]\nkeys=root\n", u"\x00\x01", u"" + CONFIGURATION % (
                "INFO", "NoSuchHandler", "()"), u"" + CONFIGURATION % ("LOUD", "StreamHandler", "()"))):
            names.append(os.path.join(path, str(number)))
            with io.open(names[-1], "w") as target:
                target.write(text)
        for name in names:
            status, out, err = run(self, ["11112", "-lc", name])
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
            self.assertIn("option -lc: '%s' cannot be used: " % name, err)


class Harm(object):
    """Logging never blocks or kills an association."""

    def serves(self, program):
        for _ in range(3):
            self.assertTrue(good_echo(program))
        self.assertEqual(program.end(), -15)

    def test_a_closed_standard_error(self):
        self.serves(Program(self, "-d", stderr=None, preexec_fn=lambda: os.close(2)))

    def test_all_standard_files_closed(self):
        self.serves(Program(self, "-d", stderr=None, stdout=None, preexec_fn=lambda: [os.close(n) for n in (0, 1, 2)]))

    def test_a_full_disk(self):
        with io.open("/dev/full", "wb") as full:
            self.serves(Program(self, "-d", stderr=full))

    def test_a_broken_pipe(self):
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        self.serves(Program(self, "-d", stderr=writing))

    def test_a_pipe_that_nobody_reads(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        program = Program(self, "-d", stderr=writing)
        for _ in range(40):     # some 3 kB each: far more than the pipe holds
            self.assertTrue(good_echo(program))
        self.serves(program)


@unittest.skipUnless(hasattr(socket, "AF_UNIX") and hasattr(socket, "SOCK_SEQPACKET"), "there are no such sockets here")
class Writes(object):
    """How lines reach standard error."""

    def test_a_line_is_written_at_once_with_its_end(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)     # each write is a record of its own
        self.addCleanup(ours.close)
        ours.settimeout(20)
        program = Program(self, "-d", stderr=theirs)
        theirs.close()
        self.assertTrue(good_echo(program))
        program.end()
        written = list(iter(lambda: ours.recv(65536), b""))
        self.assertGreater(len(written), 50)
        self.assertEqual([text for text in written if text[1:3] != b": " or text.find(b"\n") != len(text) - 1], [])


class Hostile(object):
    """What a peer sends, in the log."""

    def test_it_cannot_forge_a_line_or_steer_a_terminal_or_be_a_format(self):
        program = Program(self, "-d")
        with Peer(program.address) as peer:
            peer.associate(called=b"%s%n\nI: Forged", calling=b"\x1b[2J\r\x07", contexts=[context(1), context(
                3, b"1.2\nI: Association Forged\x9b", (b"%d\n",))])
            peer.send(abort(0, 0)).finish()
        with Peer(program.address) as peer:
            peer.send(b"GET /\x1b[2J%s HTTP/1.1\nI: Forged\n").pdu()
            peer.finish()
        program.saw("HTTP request")
        program.end()
        for line in program.err.splitlines():
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in line), line)
            self.assertNotEqual(line[:9], "I: Forged")
        self.assertIn("D: Calling Application Name: \\x1b[2J\\x0d\\x07", program.err)

    def test_pydicom_adds_no_lines_of_its_own(self):
        program = Program(self, "-d")
        strange = echo_command(sop_class=b"1.2\x1b[2J.3") + element(0x4100, b"xx") + element(0x0902, b"\xff\n")
        with Peer(program.address) as peer:
            peer.associate()
            peer.send(p_data(pdv(strange))).finish()
        program.saw("-> Sta1")
        program.end()
        for line in program.err.splitlines():
            self.assertTrue(line[:3] in ("D: ", "I: ", "W: "), line)
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in line), line)

    def test_a_peer_cannot_make_a_quiet_program_speak(self):
        program = Program(self, "-q")
        for uid in (b"1.2.840.10008.01.2", b"1.2.840.10008..2.", b"1.2.840.10008.\x1b[2J", b"1.2.840.10008." + b"0" * 60):
            with Peer(program.address) as peer:
                peer.send(associate_rq([context(1, uid)])).finish()
        program.end()
        self.assertEqual((program.out, program.err), ("", ""))

    def test_a_peer_cannot_make_a_line_long(self):
        program = Program(self, "-d")
        long = b"\x07" * 30000
        with Peer(program.address) as peer:
            peer.send(associate_rq([context(1, long, (long,)), context(3)],
                                   user=user_information(item(0x52, long), item(0x55, long)))).pdu()
            peer.send(p_data(pdv(echo_command(sop_class=long[:9000]), 3)) + abort(0, 0)).finish()
        program.saw("characters more)", 3)
        program.saw("-> Sta1")
        program.end()
        self.assertLess(max(map(len, program.err.splitlines())), 2100)

    def test_no_secret_is_in_it_at_any_level(self):
        program = Program(self, "-d")
        secret = item(0x58, b"\2\1\0\5maria\0\6geheim")
        for data in (associate_rq(user=user_information(secret)), associate_rq(user=user_information(secret + b"\x51"))):
            with Peer(program.address) as peer:
                peer.send(data).pdu()
                peer.send(abort(0, 0)).finish()
        program.saw("INVALID PDU", 2)
        program.end()
        self.assertIn("User name and passcode", program.err)
        for form in ("maria", "geheim", "67 65 68 65", "6d 61 72", "gehei"):
            self.assertFalse(form in program.err, form)

    def test_with_several_associations_every_line_tells_whose_it_is(self):
        program = Program(self, "-d")
        with Peer(program.address) as one:
            one.associate()
            program.saw("I: Association Accepted")
            with Peer(program.address) as two:
                two.associate()
                two.send(echo_rq(77)).pdu()
                program.saw("Received Echo Request (MsgID 77)")
                port = two.sock.getsockname()[1]
                self.assertRegex(program.err, r"I: \[\d+ 127\.0\.0\.1:%d\] Received Echo Request \(MsgID 77\)" % port)
                two.send(RELEASE_RQ).pdu()
        program.saw("Sta6 + Evt17")
        program.end()
        lines = program.err.splitlines()
        self.assertIn("I: Association Accepted", lines)
        first = [line for line in lines if "Sta6 + Evt17" in line]
        self.assertEqual(len(first), 1)


if not hasattr(unittest.TestCase, "assertRegex"):       # Python 2.7
    unittest.TestCase.assertRegex = unittest.TestCase.assertRegexpMatches

both_forms(Levels)
both_forms(Configuration)
both_forms(Harm)
both_forms(Writes)
both_forms(Hostile)

if __name__ == "__main__":
    unittest.main()
