"""What a peer wrote, made fit for one line."""
import unittest

from support import both_forms

EVERY_BYTE = bytes(bytearray(range(256)))


def byte(code):
    """One byte."""
    return bytes(bytearray([code]))


class Text(object):
    """Escapes, limits, plurals."""

    def test_each_byte_comes_out_as_itself_or_escaped(self):
        for code in range(256):
            due = chr(code) if 0x20 <= code <= 0x7E else "\\x" + "0123456789abcdef"[code // 16] + "0123456789abcdef"[
                code % 16]
            due = "\\\\" if code == 0x5C else due
            self.assertEqual(self.dul.escaped(byte(code)), due)
            self.assertEqual(self.dul.escaped(b"a" + byte(code) + b"b"), "a" + due + "b")

    def test_text_is_escaped_by_code_point(self):
        table = [(b"\x07".decode("latin-1"), "\\x07"), (b"\xe9".decode("latin-1"), "\\xe9"),
                 (b"\xff".decode("latin-1"), "\\xff"),
                 (b"\xc4\x80".decode("utf-8"), "\\u0100"), (b"\xe2\x82\xac".decode("utf-8"), "\\u20ac"),
                 (b"a\\b".decode("ascii"), "a\\\\b"), (b" ~".decode("ascii"), " ~"), (b"\x7f".decode("ascii"), "\\x7f")]
        for text, due in table:
            self.assertEqual(self.dul.escaped(text), due)

    def test_a_value_of_1000_bytes_is_whole_and_one_of_1001_is_cut(self):
        for each in (b"a", "a"):
            self.assertEqual(self.dul.escaped(each * 1000), "a" * 1000)
            self.assertEqual(self.dul.escaped(each * 1001), "a" * 1000 + " ... (1 more)")
            self.assertEqual(self.dul.escaped(each * 65535), "a" * 1000 + " ... (64535 more)")
        self.assertEqual(self.dul.escaped(b"\xff" * 1002), "\\xff" * 1000 + " ... (2 more)")
        self.assertEqual(self.dul.escaped(b""), "")

    def test_what_is_shown_is_a_native_string(self):
        for data in (b"abc", b"\xff", b"a".decode("ascii"), b"x" * 1001):
            self.assertIs(type(self.dul.escaped(data)), str)
        self.assertIs(type(self.dul.as_native(b"1.2")), str)
        self.assertEqual(self.dul.as_native(b"1.2"), "1.2")

    def test_plain_is_printable_ascii_without_a_backslash(self):
        plain = [code for code in range(256) if self.dul.is_plain(byte(code))]
        self.assertEqual(plain, [code for code in range(0x20, 0x7F) if code != 0x5C])
        self.assertTrue(self.dul.is_plain(b""))
        self.assertFalse(self.dul.is_plain(b"abc\n"))
        self.assertFalse(self.dul.is_plain(EVERY_BYTE))

    def test_a_line_of_2000_characters_is_whole_and_one_of_2001_is_cut(self):
        self.assertEqual(self.dul.shortened("y" * 2000), "y" * 2000)
        self.assertEqual(self.dul.shortened("y" * 2001), "y" * 2000 + " ... (1 characters more)")
        self.assertEqual(self.dul.shortened("y" * 5000), "y" * 2000 + " ... (3000 characters more)")
        self.assertEqual(self.dul.shortened(""), "")

    def test_a_number_and_its_noun_agree(self):
        table = [(0, "byte", "0 bytes"), (1, "byte", "1 byte"), (2, "byte", "2 bytes"), (1, "echo", "1 echo"),
                 (2, "echo", "2 echoes"), (0, "echo", "0 echoes"), (3, "context", "3 contexts")]
        for number, noun, due in table:
            self.assertEqual(self.dul.counted(number, noun), due)


both_forms(Text)

if __name__ == "__main__":
    unittest.main()
