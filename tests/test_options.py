"""The command line: every option, and every way to get it wrong."""
import io
import os
import subprocess
import sys
import unittest

from process import alone, run
from support import both_forms

PAIRS = [("-q", "--quiet"), ("-v", "--verbose"), ("-d", "--debug"), ("-ll", "--log-level"), ("-lc", "--log-config"),
         ("-aet", "--aetitle"), ("-to", "--timeout"), ("-ta", "--acse-timeout"), ("-td", "--dimse-timeout"),
         ("-pdu", "--max-pdu"), ("-x=", "--prefer-uncompr"), ("-xe", "--prefer-little"), ("-xb", "--prefer-big"),
         ("-xi", "--implicit"), ("-h", "--help")]
VALUES = {"--log-level": "info", "--log-config": "log.ini", "--aetitle": "ME", "--timeout": "5", "--acse-timeout": "6",
          "--dimse-timeout": "7", "--max-pdu": "128"}
SECONDS = "0 (no limit) to 4294967295 seconds"
BYTES = "0 (no limit) or 128 to 4294967295 bytes"
TITLE = "1 to 16 printable ASCII characters, no backslash, not only spaces"
LEVELS = "one of critical, error, warning, info, debug"
REFUSED = [  # command line, what the line says
    ([], "one port is needed (1 to 65535), none was given"),
    (["1", "2"], "one port is needed (1 to 65535), 2 were given: '1' '2'"),
    (["0"], "port '0' is not allowed: 1 to 65535"), (["65536"], "port '65536' is not allowed: 1 to 65535"),
    (["-"], "port '-' is not allowed: 1 to 65535"), (["eleven"], "port 'eleven' is not allowed: 1 to 65535"),
    (["9" * 5000], "is not allowed: 1 to 65535"), (["11112 "], "port '11112 ' is not allowed"),
    (["1", "-port"], "unknown option '-port'"), (["1", "--debg"], "unknown option '--debg'; did you mean --debug?"),
    (["1", "-vd"], "unknown option '-vd'; did you mean -v?"), (["1", "--verb"], "unknown option '--verb'; did you mean"),
    (["1", "-ta5"], "unknown option '-ta5'; did you mean -ta?"), (["1", "-D"], "unknown option '-D'; did you mean -d?"),
    (["1", "-ta=5"], "unknown option '-ta=5'; did you mean '-ta 5'?"),
    (["1", "-verbose"], "unknown option '-verbose'; did you mean --verbose?"),
    (["1", "--"], "unknown option '--'"), (["1", "--v"], "unknown option '--v'"), (["1", "-x"], "unknown option '-x'"),
    (["1", "--max-pd=4"], "unknown option '--max-pd=4'; did you mean --max-pdu?"),
    (["1", "-ta"], "option -ta needs a value: " + SECONDS), (["1", "-ta", "-v"], "option -ta needs a value: " + SECONDS),
    (["1", "--max-pdu"], "option --max-pdu needs a value: " + BYTES), (["1", "-aet"], "option -aet needs a value: " + TITLE),
    (["1", "-ll"], "option -ll needs a value: " + LEVELS), (["1", "-lc"], "option -lc needs a value: the name of"),
    (["1", "--timeout="], "option --timeout: '' is not allowed: " + SECONDS), (["1", "-lc", ""], "option -lc: '' is not"),
    (["1", "-aet", ""], "option -aet: '' is not allowed: " + TITLE),
    (["1", "-aet", "   "], "option -aet: '   ' is not allowed: " + TITLE),
    (["1", "-aet", "SEVENTEEN_LETTERS"], "option -aet: 'SEVENTEEN_LETTERS' is not allowed: " + TITLE),
    (["1", "-aet", "A\\B"], "is not allowed: " + TITLE), (["1", "-aet", "A\nB"], "option -aet: 'A\\x0aB' is not allowed"),
    (["1", "-ll", "Info"], "option -ll: 'Info' is not allowed: " + LEVELS),
    (["1", "-pdu", "127"], "option -pdu: '127' is not allowed: " + BYTES),
    (["1", "-pdu", "4294967296"], "option -pdu: '4294967296' is not allowed: " + BYTES),
    (["1", "-td", "4294967296"], "option -td: '4294967296' is not allowed: " + SECONDS),
    (["1", "--verbose=1"], "option --verbose takes no value, it was given '1'"),
    (["1", "--prefer-big="], "option --prefer-big takes no value, it was given ''"),
    (["1", "-q", "-v"], "options --quiet and -v contradict each other"),
    (["1", "-d", "-ll", "debug"], "options --debug and -ll contradict each other"),
    (["1", "-x=", "-xi"], "options --prefer-uncompr and -xi contradict each other"),
    (["1", "--prefer-big", "-xe"], "options --prefer-big and -xe contradict each other"),
]
NO_NUMBERS = ["0x50", " 5", "5 ", "1_0", "+3", "-3", "1e3", "5.0", "", "five", "5s", "\xb2", "\xd9\xa3", "0b1", "1,000"]


class Parser(object):
    """parse(), in this process."""

    def parse(self, *arguments):
        return self.dul.parse(list(arguments))

    def refusal(self, arguments):
        with self.assertRaises(self.dul.UsageError) as caught:
            self.dul.parse(list(arguments))
        return str(caught.exception)

    def test_both_spellings_before_and_after_the_port_mean_the_same(self):
        for short, long_form in PAIRS:
            value = VALUES.get(long_form)
            due = {"port": 11112, long_form: True if value is None else int(value) if value.isdigit() else value}
            if long_form == "--help":
                due = {"--help": True}
            for spelling in (short, long_form):
                words = [spelling] if value is None else [spelling, value]
                self.assertEqual(self.parse(*(words + ["11112"])), due)
                if long_form != "--help":
                    self.assertEqual(self.parse(*(["11112"] + words)), due)
            if value is not None:
                self.assertEqual(self.parse("%s=%s" % (long_form, value), "11112"), due)

    def test_the_last_of_a_repeated_option_wins(self):
        self.assertEqual(self.parse("-ta", "5", "1", "--acse-timeout=6", "-ta", "7")["--acse-timeout"], 7)
        self.assertEqual(self.parse("1", "-v", "--verbose"), {"port": 1, "--verbose": True})
        self.assertEqual(self.parse("1", "-ll", "info", "-ll", "error")["--log-level"], "error")

    def test_values_that_are_allowed(self):
        for text, value in (("0", 0), ("128", 128), ("0000128", 128), ("4294967295", 4294967295), ("16384", 16384)):
            self.assertEqual(self.parse("1", "-pdu", text)["--max-pdu"], value)
        for text in ("A", "SIXTEEN_LETTERS_", " PADDED ", "a-b_c!~"):
            self.assertEqual(self.parse("1", "-aet", text)["--aetitle"], text)
        self.assertEqual(self.parse("1", "--aetitle=a=b")["--aetitle"], "a=b")
        self.assertEqual(self.parse("00065535")["port"], 65535)
        for level in ("critical", "error", "warning", "info", "debug"):
            self.assertEqual(self.parse("1", "-ll", level)["--log-level"], level)

    def test_every_refusal_is_one_line_that_names_the_option_the_value_and_what_is_right(self):
        for arguments, words in REFUSED:
            sentence = self.refusal(arguments)
            self.assertIn(words, sentence)
            self.assertNotIn("\n", sentence)

    def test_numbers_are_plain_decimal_digits_alike_on_every_python(self):
        for text in NO_NUMBERS:
            for option in ("-to", "-ta", "-td", "-pdu"):
                self.assertIn("option %s: " % option, self.refusal(["1", option, text]))
            self.assertIn("is not allowed: 1 to 65535" if text != "-3" else "unknown option", self.refusal([text]))

    def test_every_abbreviation_and_cluster_is_refused(self):
        for _, long_form in PAIRS:
            for length in range(3, len(long_form)):
                self.assertIn("unknown option", self.refusal(["1", long_form[:length]]))
        for cluster in ("-vq", "-dv", "-xexb", "-x=e", "-vx=", "-qh", "-ll=info", "-aetME", "-pdu128"):
            self.assertIn("unknown option", self.refusal(["1", cluster]))

    def test_syntax_options_choose_their_order(self):
        for option, order in (("-x=", "PREFER_LOCAL"), ("-xe", "PREFER_LITTLE"), ("-xb", "PREFER_BIG"),
                              ("-xi", "IMPLICIT_ONLY")):
            self.assertEqual(self.dul.transfer_syntaxes(self.parse("1", option)), getattr(self.dul, order))
        self.assertEqual(self.dul.transfer_syntaxes(self.parse("1")), self.dul.PREFER_LOCAL)

    def test_the_help_has_every_option_in_the_manuals_groups_and_fits_80_columns(self):
        text = self.dul.help_text()
        self.assertLess(max(len(line) for line in text.splitlines()), 80)
        places = [text.index(words) for words in (
            "Logging\n", "-q    --quiet ", "-v    --verbose ", "-d    --debug ", "-ll   --log-level ", "-lc   --log-config ",
            "Application Entity Titles\n", "-aet  --aetitle ", "Miscellaneous DICOM\n", "-to   --timeout ",
            "-ta   --acse-timeout ", "-td   --dimse-timeout ", "-pdu  --max-pdu ", "Preferred Transfer Syntaxes\n",
            "-x=   --prefer-uncompr ", "-xe   --prefer-little ", "-xb   --prefer-big ", "-xi   --implicit ")]
        self.assertEqual(places, sorted(places))
        self.assertEqual(len(self.dul.read_options(self.dul.OPTION_LINES)[0]), 2 * len(PAIRS) + 1)

    def test_the_defaults_in_the_help_are_those_of_settings(self):
        settings, text = self.dul.Settings(), " ".join(self.dul.help_text().split())
        for words in ("set my AE title (default: %s)" % settings.ae_title,
                      "timeout for ACSE messages (default: %d)" % settings.acse_timeout,
                      "maximum receive PDU bytes to n bytes (default: %d;" % settings.maximum_length,
                      "timeout for connection requests (default: unlimited)",
                      "timeout for DIMSE messages (default: unlimited)", "local byte order (default)"):
            self.assertIn(words, text)
        self.assertEqual((settings.timeout, settings.dimse_timeout), (0, 0))
        self.assertEqual(settings.transfer_syntaxes, self.dul.PREFER_LOCAL)


class CommandLine(object):
    """The process."""

    def test_a_refusal_is_one_line_on_standard_error_and_exit_status_2(self):
        for arguments in ([], ["1", "-ta", "x\ny"], ["1", "--debg"], ["1", "-q", "-aet", ""], ["1", "-lc", "/no/such/file"]):
            status, out, err = run(self, arguments)
            self.assertEqual((status, out, err.count("\n"), err[:12]), (2, "", 1, "echoscp.py: "), err)

    def test_help_and_version_go_to_standard_output(self):
        status, out, err = run(self, ["--help"])
        self.assertEqual((status, out, err), (0, self.dul.help_text(), ""))
        status, out, err = run(self, ["-v", "--version", "nonsense"])
        self.assertEqual((status, out, err), (0, "echoscp.py %s\n" % self.dul.VERSION, ""))

    def test_help_that_nobody_can_read_ends_without_a_traceback(self):
        for target in ("/dev/full", None):
            if target and not os.path.exists(target):
                continue
            with io.open(target or os.devnull, "wb") as out:
                options = {"stdout": out} if target else {"stdout": out, "preexec_fn": lambda: os.close(1)}
                process = subprocess.Popen(self.dul.COMMAND + ["-h"], stderr=subprocess.PIPE, cwd=os.path.dirname(
                    os.path.dirname(os.path.abspath(__file__))), **options)
                err = process.communicate()[1]
            self.assertEqual(err, b"")

    def test_alone_in_an_empty_folder_it_is_the_whole_program(self):
        path, program = alone(self)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        process = subprocess.Popen([sys.executable, "-S", program, "--version"], stdout=subprocess.PIPE, cwd=path,
                                   env=environment)
        self.assertEqual(process.communicate()[0].decode(), "echoscp.py %s\n" % self.dul.VERSION)
        self.assertEqual(os.listdir(path), ["echoscp.py"])


both_forms(Parser)
both_forms(CommandLine)

if __name__ == "__main__":
    unittest.main()
