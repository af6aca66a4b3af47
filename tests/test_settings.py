"""What a server is told to do, and the rule for each value."""
import unittest

from support import both_forms

IMPLICIT, LITTLE, BIG = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2"
ALLOWED = "".join(chr(code) for code in range(0x20, 0x7F) if code != 0x5C)
TITLE_RULE = "1 to 16 printable ASCII characters, no backslash, not only spaces"
SECONDS_RULE = "0 (no limit) to 4294967295 seconds"
LENGTH_RULE = "0 (no limit) or 128 to 4294967295 bytes"


class Values(object):
    """Settings and its checks."""

    def refused(self, rule, check, value):
        with self.assertRaises(ValueError) as caught:
            check(value)
        self.assertEqual(str(caught.exception), rule)

    def test_the_defaults_are_the_manuals(self):
        settings = self.dul.Settings()
        self.assertEqual((settings.ae_title, settings.timeout, settings.acse_timeout, settings.dimse_timeout,
                          settings.maximum_length), ("ECHOSCP", 0, 30, 0, 16384))
        self.assertEqual(settings.transfer_syntaxes, (LITTLE, BIG, IMPLICIT))

    def test_each_value_is_kept(self):
        settings = self.dul.Settings("A", 1, 2, 3, 128, [IMPLICIT])
        self.assertEqual((settings.ae_title, settings.timeout, settings.acse_timeout, settings.dimse_timeout,
                          settings.maximum_length, settings.transfer_syntaxes), ("A", 1, 2, 3, 128, (IMPLICIT,)))
        self.assertRaises(TypeError, self.dul.Settings, no_such_setting=1)

    def test_the_orders_are_those_of_the_options(self):
        self.assertEqual(self.dul.PREFER_LITTLE, (LITTLE, BIG, IMPLICIT))
        self.assertEqual(self.dul.PREFER_BIG, (BIG, LITTLE, IMPLICIT))
        self.assertEqual(self.dul.IMPLICIT_ONLY, (IMPLICIT,))

    def test_a_title_is_1_to_16_characters_of_the_default_repertoire(self):
        for title in ["A", "X" * 16, " A", "A ", "a b"] + ["x" + each for each in ALLOWED]:
            self.assertEqual(self.dul.check_title(title), title)
        for title in ["", "X" * 17, " ", " " * 16, "A\\B", "A\n", "\x7f", "\x1b[0m", "\x00"]:
            self.refused(TITLE_RULE, self.dul.check_title, title)
        self.refused(TITLE_RULE, self.dul.check_title, b"\xc3\xa9".decode("utf-8"))
        self.assertRaises(ValueError, self.dul.check_title, b"\xc3\xa9")
        self.assertEqual(self.dul.check_title(b"AS BYTES"), "AS BYTES")
        for title in (u"TEXT", "TEXT", b"TEXT"):
            self.assertIs(type(self.dul.Settings(ae_title=title).ae_title), str if str is not bytes or type(
                title) is str else type(title))

    def test_a_timeout_is_0_to_4294967295(self):
        for seconds in (0, 1, 0.5, 30, 4294967295):
            self.assertEqual(self.dul.check_seconds(seconds), seconds)
        for seconds in (-1, -0.001, 4294967296, float("inf"), float("nan")):
            self.refused(SECONDS_RULE, self.dul.check_seconds, seconds)

    def test_a_maximum_length_is_0_or_128_to_4294967295(self):
        for length in (0, 128, 129, 16384, 4294967295):
            self.assertEqual(self.dul.check_maximum_length(length), length)
        for length in (1, 127, -1, -128, 4294967296):
            self.refused(LENGTH_RULE, self.dul.check_maximum_length, length)

    def test_each_setting_out_of_its_range_is_refused(self):
        table = [("ae_title", "", TITLE_RULE), ("timeout", -1, SECONDS_RULE), ("acse_timeout", 2 ** 32, SECONDS_RULE),
                 ("dimse_timeout", -5, SECONDS_RULE), ("maximum_length", 127, LENGTH_RULE)]
        for name, value, rule in table:
            self.refused(rule, lambda each: self.dul.Settings(**{name: each}), value)


both_forms(Values)

if __name__ == "__main__":
    unittest.main()
