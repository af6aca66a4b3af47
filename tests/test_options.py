"""The command line: every option, and every way to get it wrong; parse(), in this process."""
import sys
import unittest

from support import both_forms

# The manual's options: group, short form, long form, a value that is allowed (None: it takes none), its words.
MANUAL = (
    ("Logging", "-q", "--quiet", None, "quiet mode, prints no warnings or errors"),
    ("Logging", "-v", "--verbose", None, "verbose mode, prints processing details"),
    ("Logging", "-d", "--debug", None, "debug mode, prints debugging information"),
    ("Logging", "-ll", "--log-level", "info", "of level l or higher"),
    ("Logging", "-lc", "--log-config", "log.ini", "use python logging config file f for the logger"),
    ("Application Entity Titles", "-aet", "--aetitle", "ME", "set my AE title (default: ECHOSCP)"),
    ("Miscellaneous DICOM", "-to", "--timeout", "5", "timeout for connection requests (default: unlimited)"),
    ("Miscellaneous DICOM", "-ta", "--acse-timeout", "6", "timeout for ACSE messages (default: 30)"),
    ("Miscellaneous DICOM", "-td", "--dimse-timeout", "7", "timeout for DIMSE messages (default: unlimited)"),
    ("Miscellaneous DICOM", "-pdu", "--max-pdu", "128", "set maximum receive PDU bytes to n bytes (default: 16384"),
    ("Preferred Transfer Syntaxes", "-x=", "--prefer-uncompr", None, "prefer explicit VR local byte order (default)"),
    ("Preferred Transfer Syntaxes", "-xe", "--prefer-little", None, "prefer explicit VR little endian transfer syntax"),
    ("Preferred Transfer Syntaxes", "-xb", "--prefer-big", None, "prefer explicit VR big endian transfer syntax"),
    ("Preferred Transfer Syntaxes", "-xi", "--implicit", None, "accept implicit VR little endian transfer syntax only"),
)
EXTRA = ("-h", "--help", "--version")       # what there is besides
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
    (["1", "-vd"], "unknown option '-vd'; did you mean -v?"),
    (["1", "--verb"], "unknown option '--verb'; did you mean"),
    (["1", "-ta5"], "unknown option '-ta5'; did you mean -ta?"), (["1", "-D"], "unknown option '-D'; did you mean -d?"),
    (["1", "-ta=5"], "unknown option '-ta=5'; did you mean '-ta 5'?"),
    (["1", "-verbose"], "unknown option '-verbose'; did you mean --verbose?"),
    (["1", "--"], "unknown option '--'"), (["1", "--v"], "unknown option '--v'"), (["1", "-x"], "unknown option '-x'"),
    (["1", "--max-pd=4"], "unknown option '--max-pd=4'; did you mean --max-pdu?"),
    (["1", "-ta"], "option -ta needs a value: " + SECONDS),
    (["1", "-ta", "-v"], "option -ta needs a value: " + SECONDS),
    (["1", "--max-pdu"], "option --max-pdu needs a value: " + BYTES),
    (["1", "-aet"], "option -aet needs a value: " + TITLE),
    (["1", "-ll"], "option -ll needs a value: " + LEVELS), (["1", "-lc"], "option -lc needs a value: the name of"),
    (["1", "--timeout="], "option --timeout: '' is not allowed: " + SECONDS),
    (["1", "-lc", ""], "option -lc: '' is not"),
    (["1", "-aet", ""], "option -aet: '' is not allowed: " + TITLE),
    (["1", "-aet", "   "], "option -aet: '   ' is not allowed: " + TITLE),
    (["1", "-aet", "SEVENTEEN_LETTERS"], "option -aet: 'SEVENTEEN_LETTERS' is not allowed: " + TITLE),
    (["1", "-aet", "A\\B"], "is not allowed: " + TITLE),
    (["1", "-aet", "A\nB"], "option -aet: 'A\\x0aB' is not allowed"),
    (["1", "-ll", "Info"], "option -ll: 'Info' is not allowed: " + LEVELS),
    (["1", "-pdu", "127"], "option -pdu: '127' is not allowed: " + BYTES),
    (["1", "-pdu", "4294967296"], "option -pdu: '4294967296' is not allowed: " + BYTES),
    (["1", "-td", "4294967296"], "option -td: '4294967296' is not allowed: " + SECONDS),
    (["1", "--verbose=1"], "option --verbose takes no value, it was given '1'"),
    (["1", "--prefer-big="], "option --prefer-big takes no value, it was given ''"),
    (["1", "-q", "-v"], "options -q and -v contradict each other: one of --debug, --log-level, --quiet, --verbose"),
    (["1", "-d", "-ll", "debug"], "options -d and -ll contradict each other"),
    (["1", "-x=", "-xi"], "options -x= and -xi contradict each other"),
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
        for _, short, long_form, value, _ in MANUAL:
            due = {"port": 11112, long_form: True if value is None else int(value) if value.isdigit() else value}
            for spelling in (short, long_form):
                words = [spelling] if value is None else [spelling, value]
                self.assertEqual(self.parse(*(words + ["11112"])), due)
                self.assertEqual(self.parse(*(["11112"] + words)), due)
            if value is not None:
                self.assertEqual(self.parse("%s=%s" % (long_form, value), "11112"), due)

    def test_help_and_version_need_no_port_and_what_follows_them_is_not_read(self):
        for spelling, due in (("-h", "--help"), ("--help", "--help"), ("--version", "--version")):
            self.assertEqual(self.parse(spelling), {due: True})
            self.assertEqual(self.parse("1", "-v", spelling, "--nonsense"), {"--verbose": True, due: True})

    def test_there_is_no_option_besides(self):
        due = set(EXTRA)
        for _, short, long_form, _, _ in MANUAL:
            due.update([short, long_form])
        self.assertEqual(set(self.dul.read_options(self.dul.OPTION_LINES)[0]), due)

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

    def test_a_spelling_that_is_near_is_named_where_python_lacks_difflib_too(self):
        saved = sys.modules.get("difflib")
        sys.modules["difflib"] = None
        try:
            for argument, due in (("-verbose", "did you mean --verbose?"), ("-D", "did you mean -d?"),
                                  ("--v", "did you mean --verbose?"), ("--acse", "did you mean --acse-timeout?"),
                                  ("--q=1", "did you mean --quiet?"), ("--", "--help shows the options"),
                                  ("--verbosity", "--help shows the options")):
                self.assertEqual(self.refusal(["1", argument]), "unknown option '%s'; %s" % (argument, due))
        finally:
            del sys.modules["difflib"]
            if saved is not None:
                sys.modules["difflib"] = saved

    def test_numbers_are_plain_decimal_digits_alike_on_every_python(self):
        for text in NO_NUMBERS:
            for option in ("-to", "-ta", "-td", "-pdu"):
                self.assertIn("option %s: " % option, self.refusal(["1", option, text]))
            self.assertIn("is not allowed: 1 to 65535" if text != "-3" else "unknown option", self.refusal([text]))

    def test_every_abbreviation_and_cluster_is_refused(self):
        for _, _, long_form, _, _ in MANUAL:
            for length in range(3, len(long_form)):
                self.assertIn("unknown option", self.refusal(["1", long_form[:length]]))
        for cluster in ("-vq", "-dv", "-xexb", "-x=e", "-vx=", "-qh", "-ll=info", "-aetME", "-pdu128"):
            self.assertIn("unknown option", self.refusal(["1", cluster]))

    def test_syntax_options_choose_their_order(self):
        for option, order in (("-x=", "PREFER_LOCAL"), ("-xe", "PREFER_LITTLE"), ("-xb", "PREFER_BIG"),
                              ("-xi", "IMPLICIT_ONLY")):
            long_form = [each for each in self.parse("1", option) if each != "port"][0]
            self.assertEqual(self.dul.SYNTAX_OPTIONS[long_form], getattr(self.dul, order))

    def test_an_option_is_no_value_of_the_option_before(self):
        for _, short, long_form, value, _ in MANUAL:
            for name in (short, long_form) if value is not None else ():
                for following in ("--max-pdu=128", "-v", "--help"):
                    self.assertIn("option %s needs a value: " % name, self.refusal([name, following, "104"]))

    def test_members_of_a_group_contradict_each_other_by_the_spellings_that_were_typed(self):
        for group in (MANUAL[:4], MANUAL[10:]):
            for one in group:
                for other in group:
                    for left, right in ((one[1], other[2]), (one[2], other[1])):
                        words = ["1", left] + ([one[3]] if one[3] else []) + [right] + ([other[3]] if other[3] else [])
                        if one is not other:
                            self.assertIn("options %s and %s contradict each other" % (left, right),
                                          self.refusal(words))
                        else:
                            self.assertEqual(len(self.parse(*words)), 2)

    def test_the_help_has_every_option_in_the_manuals_groups_and_words_and_fits_80_columns(self):
        text = self.dul.HELP
        self.assertLess(max(len(line) for line in text.splitlines()), 80)
        words, place = " ".join(text.split()), 0
        for group, short, long_form, value, meaning in MANUAL:
            self.assertIn("\n%s\n" % group, text)
            at = words.index(" %s %s " % (short, long_form))
            self.assertLess(max(place, words.index(group)), at)
            place = words.index(meaning, at)
            self.assertEqual(words[at:place].count(" [") == 1, value is not None, long_form)

    def test_the_defaults_in_the_help_are_those_of_settings(self):
        settings, text = self.dul.Settings(), " ".join(self.dul.HELP.split())
        for words in ("set my AE title (default: %s)" % settings.ae_title,
                      "timeout for ACSE messages (default: %d)" % settings.acse_timeout,
                      "maximum receive PDU bytes to n bytes (default: %d;" % settings.maximum_length,
                      "timeout for connection requests (default: unlimited)",
                      "timeout for DIMSE messages (default: unlimited)", "local byte order (default)"):
            self.assertIn(words, text)
        self.assertEqual((settings.timeout, settings.dimse_timeout), (0, 0))
        self.assertEqual(settings.transfer_syntaxes, self.dul.PREFER_LOCAL)


both_forms(Parser)

if __name__ == "__main__":
    unittest.main()
