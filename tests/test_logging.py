"""What is logged, where to, and that logging delays or ends no association."""
import io
import os
import socket
import unittest

from process import ENDED, POSIX, Program, folder, main_module, need_posix, run, script
from support import as_program, good_echo, monotonic, skip_loudly, wait_until
from wire import (
    RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, context, echo_command, echo_rq, echo_rsp, element, item,
    other_service, p_data, pdv, reject, user_information)

GOOD = ["I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
        "I: Association Released"]
ECHOES = 700        # their lines at -d are more than the queue of the log holds
SOON = 10.0         # seconds, where a handler would take minutes; two are promised on a machine that does nothing else
SECRET = item(0x58, b"\2\1\0\5maria\0\6geheim")
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12
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
HANDLERS = """
import logging, threading
class Raising(logging.Handler):
    def emit(self, record):
        raise RuntimeError("an error of the handler")
class Exiting(logging.Handler):
    def emit(self, record):
        raise SystemExit(5)
class Adding(logging.StreamHandler):
    def emit(self, record):
        record.pear = "a pear"
        logging.StreamHandler.emit(self, record)
class Slow(logging.Handler):
    def emit(self, record):
        threading.Event().wait(5)
"""

# Becomes the program in the background of a terminal, which is standard input and lets no background process write.
IN_BACKGROUND = script("import fcntl, signal, termios\nos.setsid()\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
                       "mode = termios.tcgetattr(0)\nmode[3] |= termios.TOSTOP\n"
                       "termios.tcsetattr(0, termios.TCSANOW, mode)\n"
                       "child = os.fork()\nif child == 0:\n    signal.pause()\n"
                       "os.setpgid(child, child)\nos.tcsetpgrp(0, child)\nos.execv(sys.argv[1], sys.argv[1:])\n")


def configuration(case, kind, arguments, level="DEBUG"):
    """The name of a logging configuration file."""
    name = os.path.join(folder(case), "log.ini")
    with open(name, "w") as target:
        target.write(CONFIGURATION % (level, kind, arguments))
    return name


def text_of(name):
    """The text of a file."""
    with io.open(name) as source:
        return source.read()


def many_echoes(address, count=ECHOES):
    """One association with so many echoes."""
    with Peer(address) as peer:
        peer.associate()
        for _ in range(count // 50):
            if peer.send(echo_rq() * 50).read(50 * len(echo_rsp())) != echo_rsp() * 50:
                raise AssertionError("not answered")
        if peer.send(RELEASE_RQ).pdu() != RELEASE_RP:
            raise AssertionError("not released")


class Levels(object):
    """-q, -v, -d, -ll."""

    def lines(self, arguments, done="this is an echo server"):
        program = Program(self, arguments)
        good_echo(program.address)
        other_service(program.address)
        if done:
            program.saw(done)
        self.assertEqual((program.end(), program.out), (ENDED, ""))
        return program.err.splitlines()

    def explanation(self, line):
        self.assertRegex(line,
                         r"^W: 127\.0\.0\.1:\d+: proposed 2 contexts, no Verification: .*: this is an echo server$")

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

    def test_a_client_that_has_its_echo_and_just_closes_is_no_warning(self):
        program = Program(self, "-v")
        with Peer(program.address) as peer:
            peer.associate()
            peer.send(echo_rq()).pdu()
        program.saw("connection closed by the peer in Sta6")
        self.assertEqual(program.end(), ENDED)
        self.assertEqual([line[:3] for line in program.err.splitlines()], ["I: "] * 4)

    def test_debug_opens_as_the_manual_shows_and_dumps(self):
        lines = self.lines("-ll debug")
        self.assertEqual(lines[:2], ["D: $echoscp.py v" + self.dul.VERSION, "D: "])
        self.assertIn("D: Listening on port", lines[2])
        start = lines.index("I: Association Received")
        self.assertEqual(lines[start + 1:start + 4], [
            "D: Request Parameters:", "D: ====================== BEGIN A-ASSOCIATE-RQ =============================",
            "D: Their Implementation Class UID: 1.2.3.4"])
        for due in ("D: Sta2 + Evt6 -> AE-6 -> Sta3", "D: Sta6 + Evt10 -> DT-2 -> Sta6",
                    "D: Sta6 + Evt9 -> DT-1 -> Sta6",
                    "D: Sta8 + Evt14 -> AR-4 -> Sta13", "D: Sta6 + Evt15 -> AA-1 -> Sta13"):
            self.assertIn(due, lines)
        self.assertEqual([line for line in lines if line.startswith("I: ")][:4], GOOD)
        self.assertRegex(lines[-1], r"^D: 2 connections, at most \d at once; 1 echo(, the slowest "
                                    r"\d+\.\d ms)?; 1 released, 0 rejected, 1 aborted here, ")
        self.assertEqual(set(line[:3] for line in lines), set(["D: ", "I: ", "W: "]))


class Configuration(object):
    """-lc."""

    def test_it_sends_to_a_file_with_the_attributes_of_every_record(self):
        target = os.path.join(folder(self), "echoscp.log")
        for kind in ("FileHandler", "handlers.RotatingFileHandler"):
            program = Program(self, ["-lc", configuration(self, kind, "(%r, 'a')" % target)])
            good_echo(program.address)
            other_service(program.address)
            wait_until(lambda: "echo server" in text_of(target), "the explanation is in the file")
            self.assertEqual((program.end(), program.err), (ENDED, ""))
            lines = text_of(target).splitlines()
            os.remove(target)
            self.assertTrue(all(line.count("|") >= 5 for line in lines))
            self.assertTrue(any(line.startswith("DEBUG|-|-|-|-|Listening on port") for line in lines), lines[:3])
            echoes = [line for line in lines if "Received Echo Request" in line]
            self.assertRegex(echoes[0], r"^INFO\|\d+\|127\.0\.0\.1:\d+\|TESTER\|ECHOSCP\|Received Echo Request \(M")

    def test_a_level_option_sets_the_level_and_the_file_the_rest(self):
        target = os.path.join(folder(self), "echoscp.log")
        for level, option, due in (("CRITICAL", "-v", True), ("DEBUG", "-q", False),
                                   ("DEBUG", "--log-level=error", False),
                                   ("INFO", "", True)):
            name = configuration(self, "FileHandler", "(%r, 'w')" % target, level)
            program = Program(self, ["--log-config", name] + ([option] if option else []))
            good_echo(program.address)
            self.assertEqual((program.end(), program.err), (ENDED, ""))
            self.assertEqual("INFO|" in text_of(target), due, (level, option))
            self.assertNotIn("DEBUG|", text_of(target))

    def test_it_sends_to_syslog(self):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        name = configuration(self, "handlers.SysLogHandler", "(('127.0.0.1', %d),)" % receiver.getsockname()[1], "INFO")
        program = Program(self, ["-lc", name])
        good_echo(program.address)
        while b"|Association Released" not in receiver.recv(4096):
            pass

    def refusal(self, name):
        status, out, err = run(self, ["11112", "-lc", name])
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        start = "echoscp.py: option -lc: %s cannot be used: " % self.dul.quoted(name)
        self.assertEqual(err[:len(start)], start)
        return err[len(start):-1]

    def test_a_missing_or_broken_file_is_one_line_and_exit_status_2(self):
        path = folder(self)
        for name in (os.path.join(path, "missing"), path):
            self.assertTrue(self.refusal(name))
        for text in ("", "nonsense", "[loggers]\nkeys=root\n", "\x00\x01",
                     CONFIGURATION % ("LOUD", "StreamHandler", "()")):
            name = os.path.join(path, "broken")
            with open(name, "w") as target:
                target.write(text)
            self.assertTrue(self.refusal(name))
        self.assertIn("NoSuchHandler", self.refusal(configuration(self, "NoSuchHandler", "()")))

    def test_a_format_of_an_attribute_that_no_record_has_is_refused(self):
        name = configuration(self, "StreamHandler", "()")
        text = text_of(name)
        with open(name, "w") as target:
            target.write(text.replace("%(peer)s", "%(pear)s"))
        self.assertIn("pear", self.refusal(name))

    def test_what_a_handler_keeps_is_written_at_the_end(self):
        path = folder(self)
        target = os.path.join(path, "echoscp.log")
        with open(os.path.join(path, "keeping_of_this_test.py"), "w") as source:
            source.write("from logging.handlers import MemoryHandler as Keeping\n")
        name = configuration(self, "keeping_of_this_test.Keeping", "(10000, 60, FileHandler(%r))" % target, "INFO")
        program = Program(self, ["-lc", name], env=dict(os.environ, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"))
        good_echo(program.address)
        self.assertEqual((program.end(), program.err), (ENDED, ""))
        self.assertIn("Received Echo Request", text_of(target))

    def test_a_log_file_that_cannot_be_opened_is_named(self):
        target = os.path.join(folder(self), "no", "such.log")
        name = configuration(self, "FileHandler", "(%r, 'a')" % target)
        self.assertEqual(self.refusal(name), "%s: No such file or directory" % self.dul.quoted(target))


class Handlers(object):
    """What a handler of a configuration file does holds up no association and no end."""

    def program(self, kind, arguments="()", **options):
        path = folder(self)
        with open(os.path.join(path, "handlers_of_this_test.py"), "w") as target:
            target.write(HANDLERS)
        name = configuration(self, kind, arguments)
        return Program(self, ["-lc", name], env=dict(os.environ, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"),
                       **options)

    def ends(self, program):
        start = monotonic()
        self.assertEqual(program.end(), ENDED)
        self.assertLess(monotonic() - start, SOON)

    def test_one_that_adds_what_its_format_names(self):
        path = folder(self)
        with open(os.path.join(path, "handlers_of_this_test.py"), "w") as target:
            target.write(HANDLERS)
        name = configuration(self, "handlers_of_this_test.Adding", "()", "INFO")
        text = text_of(name)
        with open(name, "w") as target:
            target.write(text.replace("%(peer)s", "%(pear)s|%(association)05s"))
        program = Program(self, ["-lc", name], env=dict(os.environ, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"))
        good_echo(program.address)
        program.saw("|a pear|")
        self.ends(program)

    def test_one_that_raises(self):
        for kind in ("Raising", "Exiting"):
            program = self.program("handlers_of_this_test." + kind)
            for _ in range(3):
                good_echo(program.address)
            self.ends(program)
            self.assertEqual(program.err, "")

    def test_one_that_takes_five_seconds_for_a_line(self):
        program = self.program("handlers_of_this_test.Slow")
        start = monotonic()
        for _ in range(3):          # more than a hundred lines
            good_echo(program.address)
        self.ends(program)
        self.assertLess(monotonic() - start, 2 * SOON)

    def test_one_that_writes_to_a_pipe_that_is_not_read(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        program = self.program("StreamHandler", "(sys.stderr,)", stderr=writing)
        many_echoes(program.address)
        good_echo(program.address)
        self.ends(program)


class StandardError(object):
    """Where standard error leads to harms no association and no end."""

    def serves(self, program, echoes=3):
        for _ in range(echoes):
            good_echo(program.address)
        start = monotonic()
        self.assertEqual(program.end(), ENDED)
        self.assertLess(monotonic() - start, SOON)

    def test_standard_files_that_are_closed(self):
        need_posix("shell that closes them")
        for after in ("2>&-", "<&- >&- 2>&-"):
            self.serves(Program(self, "-d", after=after))

    def test_a_full_disk(self):
        need_posix("/dev/full")
        if not os.path.exists("/dev/full"):
            skip_loudly("there is no /dev/full here")
        self.serves(Program(self, "-d", after="2>/dev/full"))

    def test_a_broken_pipe(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        program = Program(self, "-ll debug", stderr=writing)
        os.close(reading)
        self.serves(program)

    def test_a_pipe_that_is_not_read_loses_lines_and_their_number_is_logged(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        program = Program(self, "-d", stderr=writing)
        os.close(writing)
        many_echoes(program.address)
        good_echo(program.address)
        shown = b""
        while b" lines were dropped here: the log took no more\n" not in shown:
            shown += os.read(reading, 65536)
        self.assertEqual(set(line[:3] for line in shown.splitlines()), set([b"D: ", b"I: ", b"W: "]))
        many_echoes(program.address)        # and it is not read again
        self.serves(program)

    def terminal(self, command=(), stdin=False, **options):
        """(program, master side) of a terminal that is standard error; it is not read after the start."""
        need_posix("pseudo-terminals")
        import pty
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        if stdin:
            options.update(stdin=slave, own=True)
        owner = options.pop("owner", None)
        if owner is not None:
            os.fchown(slave, owner, -1)
            os.fchmod(slave, 0o600)
        program = Program(self, "-ll debug", command=list(command) or None, stderr=slave, **options)
        os.close(slave)
        return program, master

    def test_a_terminal_that_takes_no_more(self):
        program, _ = self.terminal()
        many_echoes(program.address, 100)
        self.serves(program)

    def test_a_terminal_of_another_user(self):
        if not POSIX or os.getuid() != 0:
            skip_loudly("only root can give a terminal away")
        command = script("import %s as program\nimport logging, signal, encodings.idna\n"
                         "os.setgid(54321)\nos.setuid(54321)\nprogram.main()\n" % main_module(self))
        program, master = self.terminal(command, owner=12345)
        shown = b""
        good_echo(program.address)
        while b"Association Released" not in shown:
            shown += os.read(master, 4096)
        many_echoes(program.address, 100)
        self.serves(program)

    def test_a_terminal_that_stops_what_writes_in_its_background(self):
        program, master = self.terminal(IN_BACKGROUND + self.dul.COMMAND, stdin=True)
        shown = b""
        good_echo(program.address)
        while b"Association Released" not in shown:
            shown += os.read(master, 4096)
        self.serves(program)

    def test_a_line_is_written_at_once_with_its_end(self):
        if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "SOCK_SEQPACKET"):
            skip_loudly("there are no sockets here that show what was one write")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)     # each write is a record of its own
        self.addCleanup(ours.close)
        ours.settimeout(20)
        program = Program(self, "-d", stderr=theirs)
        theirs.close()
        good_echo(program.address)
        self.assertEqual(program.end(), ENDED)
        written = list(iter(lambda: ours.recv(65536), b""))
        self.assertGreater(len(written), 50)
        self.assertEqual([text for text in written if text[1:3] != b": " or text.find(b"\n") != len(text) - 1], [])

    def test_one_that_is_non_blocking_loses_nothing(self):
        need_posix("pipes that can be made non-blocking")
        import fcntl
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
        program = Program(self, "-d", stderr=writing)
        os.close(writing)
        many_echoes(program.address, 200)       # more than the pipe holds, less than the queue does
        shown = b""
        while b"Association Released" not in shown:
            shown += os.read(reading, 65536)
        self.assertEqual(shown.count(b"I: Received Echo Request (MsgID 1)\n"), 200)
        self.serves(program, 0)


class Flood(object):
    """Warnings cannot fill a disk."""

    def test_ten_of_one_address_are_told_the_others_counted_when_it_ends(self):
        program = Program(self, wait=POSIX)     # in Windows, the connection that shows that it is ready is a warning

        def served():
            try:
                other_service(program.address)
                return True
            except socket.error:
                return False
        wait_until(served, "it listens")
        for _ in range(14):
            other_service(program.address)
        program.saw("this is an echo server", 10)
        self.assertEqual(program.end(), ENDED)
        lines = program.err.splitlines()
        self.assertEqual(lines[10:],
                         ["W: 5 further warnings in the last minute (100 a minute are shown, 10 of one address)"])
        self.assertEqual(program.err.count("this is an echo server"), 10)


class Hostile(object):
    """What a peer sends, in the log."""

    def test_it_cannot_forge_a_line_or_steer_a_terminal_or_be_a_format_or_long(self):
        program = Program(self, "-d")
        with Peer(program.address) as peer:
            peer.associate(called=b"%s%n\nI: Forged", calling=b"\x1b[2J\r\x07", contexts=[context(1), context(
                3, b"1.2\nI: Association Forged\x9b", (b"%d\n",))])
            strange = echo_command(sop_class=b"1.2\x1b[2J.3") + element(0x4100, b"xx") + element(0x0902, b"\xff\n")
            peer.send(p_data(pdv(strange))).pdu()
            peer.send(abort(0, 0)).finish()
        with Peer(program.address) as peer:
            peer.send(b"GET /\x1b[2J%s HTTP/1.1\nI: Forged\n").pdu()
            peer.finish()
        long = b"\x07" * 30000
        with Peer(program.address) as peer:
            peer.send(associate_rq([context(1, long, (long,)), context(3)],
                                   user=user_information(item(0x52, long), item(0x55, long)))).pdu()
            peer.send(p_data(pdv(echo_command(sop_class=long[:64]), 3)) + abort(0, 0)).finish()
        program.saw("Association Aborted", 2)
        self.assertEqual(program.end(), ENDED)
        lines = program.err.splitlines()
        for line in lines:
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in line), line)
            self.assertIn(line[:3], ("D: ", "I: ", "W: "), line)
        self.assertEqual([line for line in lines if line.startswith("I: Forged") or line == "I: Association Forged"],
                         [])
        self.assertIn("D: Calling Application Name: \\x1b[2J\\x0d\\x07", lines)
        self.assertLess(max(map(len, lines)), 2100)

    def test_a_peer_cannot_make_a_quiet_program_speak(self):
        program = Program(self, "-q")
        for uid in (b"1.2.840.10008.01.2", b"1.2.840.10008..2.", b"1.2.840.10008.\x1b[2J",
                    b"1.2.840.10008." + b"0" * 60):
            with Peer(program.address) as peer:
                peer.send(associate_rq([context(1, uid)])).finish()
        with Peer(program.address) as peer:
            peer.send(b"GET / HTTP/1.0\r\n\r\n").finish()
        with Peer(program.address) as peer:
            self.assertEqual(peer.associate(version=0), reject(1, 2, 2))
        self.assertEqual((program.end(), program.out, program.err), (ENDED, "", ""))

    def test_no_secret_is_in_it_at_any_level_whatever_is_damaged_around_it(self):
        program = Program(self, "-d")
        request = associate_rq(user=user_information(SECRET))
        damaged = [associate_rq(user=user_information(SECRET + b"\x51")), request[:2] + b"\0\0\0\x70" + request[6:],
                   request.replace(b"\x58\0\0\x11", b"\x58\0\0\xff"), request.replace(b"\x50\0", b"\x5f\0", 1),
                   request.replace(b"\0\5maria", b"\0\xff" + b"maria"), request.replace(b"\x52\0\0\7", b"\x52\0\0\x1e"),
                   b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n" + request, PROXY_V2 + request,
                   b"\0\0\0\0\0\4abcd" + request,
                   b"GET / HTTP/1.1\r\nAuthorization: Basic bWFyaWE6Z2VoZWlt\r\n\r\n",
                   b"GET http://maria:geheim@host/?passcode=geheim HTTP/1.1\r\n\r\n"]
        for data in [request] + damaged:
            with Peer(program.address) as peer:
                peer.send(data).pdu()
                peer.send(abort(0, 0)).finish()
        program.saw("END INVALID PDU", 8)
        self.assertEqual(program.end(), ENDED)
        self.assertIn("User name and passcode", program.err)
        self.assertIn("PROXY protocol version 2", program.err)
        for words in ("maria", "geheim", "67 65 68", "6d 61 72", "gehei", "bWFya", "62 57 46"):
            self.assertEqual([line for line in program.err.splitlines() if words in line], [], words)

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
                two.finish()
            one.send(RELEASE_RQ).pdu()
            one.finish()
        program.saw("I: Association Released\n")
        self.assertEqual(program.end(), ENDED)
        lines = program.err.splitlines()
        self.assertEqual(lines.count("I: Association Accepted"), 1)
        self.assertEqual(lines.count("I: Association Released"), 1)     # alone again, no line needs a name


for each in (Levels, Configuration, Handlers, StandardError, Flood, Hostile):
    as_program(each)

if __name__ == "__main__":
    unittest.main()
