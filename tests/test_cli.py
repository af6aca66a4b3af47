"""The process: its exit statuses, its standard files, its port, and what each option changes for a peer."""
import errno
import logging
import logging.config
import os
import re
import socket
import struct
import sys
import unittest

from process import ENDED, Program, alone, listening, main_module, need_posix, run, script, without
from support import FORMS, ONE_FILE, as_program, both_forms, good_echo, replace, skip_loudly
from wire import BIG, IMPLICIT, LITTLE, VERIFICATION, Peer, abort, associate_rq, context, decode_ac, pdu

NATIVE = LITTLE if sys.byteorder == "little" else BIG
PRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


class CommandLine(object):
    """A command line that ends by itself."""

    def test_a_refusal_is_one_line_on_standard_error_and_exit_status_2(self):
        for arguments, words in (
                ([], "one port is needed"),
                (["1", "-ta", "x\ny"], "option -ta: 'x\\x0ay' is not allowed: 0 (no limit) to"),
                (["1", "--debg"], "unknown option '--debg'; did you mean --debug?"), (["65536"], "port '65536' is not"),
                (["1", "-q", "-v"], "options -q and -v contradict each other"),
                (["1", "-q", "-aet", ""], "option -aet: '' is not allowed"),
                (["1", "-lc", "/no/such/file"], "option -lc: ")):
            status, out, err = run(self, arguments)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
            self.assertTrue(err.startswith("echoscp.py: " + words), err)

    def test_a_mistyped_option_is_one_line_where_python_lacks_difflib(self):
        status, out, err = run(self, ["1", "--debgu"], command=without(self, "difflib"))
        self.assertEqual((status, out, err),
                         (2, "", "echoscp.py: unknown option '--debgu'; --help shows the options\n"))

    def test_help_and_version_go_to_standard_output(self):
        self.assertEqual(run(self, ["--help"]), (0, self.dul.HELP, ""))
        status, out, err = run(self, ["-v", "--version", "nonsense"])
        self.assertEqual((status, out, err), (0, "echoscp.py v%s\n" % self.dul.VERSION, ""))
        self.assertTrue(re.match(r"echoscp\.py v\d+\.\d+\.\d+\n$", out), out)

    def test_help_that_cannot_be_written_is_exit_status_1_and_no_traceback(self):
        need_posix("way to close standard output")
        if os.path.exists("/dev/full"):
            self.assertEqual(run(self, ["-h"], after=">/dev/full"), (1, "", ""))
        self.assertEqual(run(self, ["-h"], after=">&-"), (0, "", ""))

    def test_a_port_in_use_is_one_line_and_exit_status_1_and_quiet_keeps_even_that(self):
        port = str(listening(self).getsockname()[1])
        for arguments, due in (([], 1), (["-q"], 0), (["-ll", "critical"], 1)):
            status, out, err = run(self, [port] + arguments)
            self.assertEqual((status, out, err.count("\n")), (1, "", due))
            self.assertTrue(not due or err.startswith("C: cannot listen on port %s: " % port), err)
            self.assertTrue(not due or err.endswith("; another program listens there\n"), err)

    def test_a_privileged_port_is_one_line_and_exit_status_1(self):
        need_posix("privileged ports")
        if not os.path.exists(PRIVILEGED) or int(text_of(PRIVILEGED)) <= 1:
            skip_loudly("this system has no privileged ports")
        # An ordinary user may not be able to read this interpreter's files: root goes after the imports.
        command = script("import %s as program\nimport logging, signal, encodings.idna\nif os.getuid() == 0:\n"
                         "    os.setgid(65534)\n    os.setuid(65534)\nprogram.main(['1'])\n" % main_module(self))
        self.assertEqual(run(self, [], command=command), (
            1, "", "C: cannot listen on port 1: Permission denied; ports below 1024 need privileges\n"))


class StandardFiles(object):
    """Descriptors 0, 1, 2."""

    def test_a_closed_standard_input_is_filled_even_without_a_null_device(self):
        need_posix("descriptors like that")
        command = script("import %s as program\nos.devnull = '/no/such/device'\nos.close(0)\nprogram.main()\n"
                         % main_module(self))
        program = Program(self, "-v", command=command)
        good_echo(program.address)
        if os.path.isdir("/proc/self/fd"):
            self.assertTrue(os.readlink("/proc/%d/fd/0" % program.process.pid).startswith("pipe:"))
        self.assertEqual(program.end(), ENDED)
        self.assertEqual(len(program.err.splitlines()), 4, program.err)


class LogConfiguration(object):
    """log_by_file(), in this process."""

    def configure(self, level, error=None):
        """What the module logging is called with, where it raises this."""
        calls = []

        def file_config(*arguments, **more):
            calls.append((arguments, more))
            if error is not None:
                raise error
        replace(self, logging, "raiseExceptions", True)
        replace(self, logging.config, "fileConfig", file_config)
        self.dul.log_by_file(ONE_FILE, level)
        return calls

    def test_whatever_is_wrong_is_said_in_one_line_with_the_file_that_it_is_about(self):
        for error, reason in (
                (KeyError("formatters"), "'formatters'"), (AssertionError(), "AssertionError"),
                (ImportError("no module"), "no module"),
                (ValueError("no\nlevel:   'x'"), "no level: 'x'"), (AttributeError("no\x1bhandler"), "no\\x1bhandler"),
                (IOError(errno.EACCES, "Permission denied", ONE_FILE), "Permission denied"),
                (IOError(errno.EACCES, "Permission denied", "app.log"), "'app.log': Permission denied")):
            with self.assertRaises(self.dul.UsageError) as caught:
                self.configure(None, error)
            self.assertEqual(str(caught.exception),
                             "option -lc: %s cannot be used: %s" % (self.dul.quoted(ONE_FILE), reason))

    def test_loggers_that_are_there_already_stay_and_an_option_sets_the_level(self):
        logger = logging.getLogger("echoscp")
        self.addCleanup(logger.setLevel, logger.level)
        logger.setLevel(logging.ERROR)
        for level, due in ((None, logging.ERROR), (logging.DEBUG, logging.DEBUG)):
            self.assertEqual(self.configure(level), [((ONE_FILE,), {"disable_existing_loggers": False})])
            self.assertEqual(logger.level, due)
            self.assertFalse(logging.raiseExceptions)       # a traceback of a handler would be on standard error


class Options(object):
    """What a peer sees of each option."""

    def ac(self, arguments, request):
        """The A-ASSOCIATE-AC that a request gets, and the peer, who is associated."""
        peer = Peer(Program(self, arguments).address)
        self.addCleanup(peer.close)
        return peer.send(request).pdu(), peer

    def test_transfer_syntaxes_are_preferred_in_the_order_of_the_option(self):
        request = associate_rq([context(1, VERIFICATION, (IMPLICIT, BIG, LITTLE)),
                                context(3, VERIFICATION, (BIG, LITTLE)),
                                context(5, VERIFICATION, (IMPLICIT,))])
        for arguments, due in (("", (NATIVE, NATIVE, IMPLICIT)), ("-x=", (NATIVE, NATIVE, IMPLICIT)),
                               ("-xe", (LITTLE, LITTLE, IMPLICIT)), ("--prefer-big", (BIG, BIG, IMPLICIT)),
                               ("-xi", (IMPLICIT, None, IMPLICIT))):
            answer, _ = self.ac(arguments, request)
            got = [(context_id, result, uid if result == 0 else None)
                   for context_id, result, uid in decode_ac(answer)["contexts"]]
            self.assertEqual(got, [(context_id, 0 if uid else 4, uid) for context_id, uid in zip((1, 3, 5), due)])

    def test_the_maximum_length_is_announced_and_enforced(self):
        for arguments, maximum in (("", 16384), ("-pdu 128", 128), ("--max-pdu=0", 0)):
            answer, peer = self.ac(arguments, associate_rq())
            self.assertIn(b"\x51\0\0\4" + struct.pack(">I", maximum), answer)
            longer = pdu(4, b"\0" * (maximum + 1)) if maximum else b"\4\0" + struct.pack(">I", 1048577)
            self.assertEqual(peer.send(longer).pdu(), abort(2, 6) if maximum else abort(0, 0))

    def test_the_title_and_the_port_are_shown_at_debug(self):
        program = Program(self, ["-aet", "MY TITLE", "-d", "-pdu", "4096"])
        good_echo(program.address)
        program.saw("D: Our AE Title: MY TITLE\n")
        program.saw("D: Our Max PDU Receive Size: 4096\n")
        program.saw("D: Listening on port %d (" % program.port)
        self.assertIn(" as MY TITLE\n", program.err)

    def test_the_program_sets_the_switch_interval_of_its_process(self):
        if not hasattr(sys, "setswitchinterval"):
            skip_loudly("this Python has no switch interval")
        need_posix("program that runs under another name here")
        program = Program(self, command=script(
            "import %s as program\n\n\ndef told(seconds):\n    os.write(2, b'interval\\n')\n\n\n"
            "sys.setswitchinterval = told\nprogram.main()\n" % main_module(self)))
        program.saw("interval")


class Timeouts(object):
    """What the options of seconds end."""

    def test_each_timeout_ends_what_it_is_for(self):
        rows = [("-to 1 -ta 0", b"", b"", "timeout: nothing in 1 s (-to) in Sta2 ("),
                ("--acse-timeout=1", b"\1\0", b"", "timeout: 2 of the 6 bytes of a PDU header in 1 s (-ta) in Sta2 ("),
                ("-td 1", associate_rq(), abort(0, 0), "timeout: nothing in 1 s (-td) in Sta6 (")]
        programs = [Program(self, row[0]) for row in rows]
        peers = [Peer(program.address) for program in programs]
        for peer, (_, data, _, _) in zip(peers, rows):
            self.addCleanup(peer.close)
            peer.send(data)
        self.assertEqual(peers[2].pdu()[:1], b"\x02")
        for program, peer, (_, _, answer, words) in zip(programs, peers, rows):
            self.assertEqual(peer.read(10), answer)
            program.saw(words)


class Listening(object):
    """Its own listening socket."""

    def test_it_answers_on_ipv4_and_ipv6_and_says_so(self):
        program = Program(self, "-d", own=True)
        program.saw("Listening on port")
        hosts, families = ["127.0.0.1"], "IPv4"
        try:
            listening(self, socket.AF_INET6)
            hosts, families = hosts + ["::1"], "IPv6 and IPv4"
        except (socket.error, AttributeError):
            if " (IPv6 and IPv4) " in program.err:      # a host that has no address of it may still have the protocol
                families = "IPv6 and IPv4"
        for host in hosts:
            good_echo((host, program.port))
        program.saw("Listening on port %d (%s) as ECHOSCP\n" % (program.port, families))

    def test_a_port_is_free_again_at_once_after_the_end(self):
        program = Program(self, own=True)
        with Peer(program.address) as peer:         # the program closes first: its side stays in TIME_WAIT
            peer.associate()
            self.assertEqual(program.end(), ENDED)
            self.assertEqual(peer.rest(), abort(0, 0))
        again = self.dul.EchoServer(port=program.port)
        self.addCleanup(again.stop)
        again.start()
        good_echo(("127.0.0.1", program.port))


class Alone(unittest.TestCase):
    """echoscp.py, copied into an empty folder."""

    dul = FORMS[-1]

    def test_alone_in_an_empty_folder_it_is_the_whole_program_and_leaves_nothing_behind(self):
        path, name = alone(self)
        program = Program(self, "-v", command=[sys.executable, "-S", name], cwd=path, own=True,
                          env=dict(item for item in os.environ.items() if not item[0].startswith("PYTHON")))
        good_echo(program.address)
        self.assertEqual(program.end(), ENDED)
        self.assertEqual(len(program.err.splitlines()), 4, program.err)
        self.assertEqual(os.listdir(path), [os.path.basename(ONE_FILE)])


def text_of(name):
    """The text of a small file."""
    with open(name) as source:
        return source.read()


for each in (CommandLine, StandardFiles, LogConfiguration, Options, Listening):
    both_forms(each)
as_program(Timeouts)

if __name__ == "__main__":
    unittest.main()
