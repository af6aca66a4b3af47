"""The standard's words: each code of the tables of PS3.7 and PS3.8, and each that is reserved."""
import unittest

from support import both_forms

# PS3.8 9.3.4
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {1: "DICOM UL service-user", 2: "DICOM UL service-provider (ACSE related function)",
                  3: "DICOM UL service-provider (presentation related function)"}
REJECT_REASONS = {(1, 2): "application-context-name-not-supported", (2, 2): "protocol-version-not-supported",
                  (3, 2): "local-limit-exceeded"}      # those that this acceptor gives
# PS3.8 9.3.8
ABORT_SOURCES = {0: "DICOM UL service-user", 1: "reserved", 2: "DICOM UL service-provider"}
ABORT_REASONS = ["reason-not-specified", "unrecognized-PDU", "unexpected-PDU", "reserved", "unrecognized-PDU parameter",
                 "unexpected-PDU parameter", "invalid-PDU-parameter value"]
# PS3.8 9.3.1 to 9.3.8
PDUS = [(1, "A-ASSOCIATE-RQ", "9.3.2"), (2, "A-ASSOCIATE-AC", "9.3.3"), (3, "A-ASSOCIATE-RJ", "9.3.4"),
        (4, "P-DATA-TF", "9.3.5"), (5, "A-RELEASE-RQ", "9.3.6"), (6, "A-RELEASE-RP", "9.3.7"), (7, "A-ABORT", "9.3.8")]
# PS3.7 E.1: element, name
ELEMENTS = """
0000 Command Group Length
0002 Affected SOP Class UID
0003 Requested SOP Class UID
0100 Command Field
0110 Message ID
0120 Message ID Being Responded To
0600 Move Destination
0700 Priority
0800 Command Data Set Type
0900 Status
1000 Affected SOP Instance UID
1001 Requested SOP Instance UID
1002 Event Type ID
1005 Attribute Identifier List
1008 Action Type ID
1030 Move Originator Application Entity Title
1031 Move Originator Message ID
"""
# PS3.7 E.1: Command Field of the request; that of the response has the highest bit set
COMMANDS = {0x0001: "C-STORE", 0x0010: "C-GET", 0x0020: "C-FIND", 0x0021: "C-MOVE", 0x0030: "C-ECHO",
            0x0100: "N-EVENT-REPORT", 0x0110: "N-GET", 0x0120: "N-SET", 0x0130: "N-ACTION", 0x0140: "N-CREATE",
            0x0150: "N-DELETE"}
# PS3.8 9.3.3.2
CONTEXT_RESULTS = {0: "acceptance", 3: "abstract-syntax-not-supported", 4: "transfer-syntaxes-not-supported"}


class Words(object):
    """Tables and the functions that read them."""

    def test_each_reject_is_told_in_the_standards_words(self):
        for result, words in REJECT_RESULTS.items():
            for (source, reason), sentence in REJECT_REASONS.items():
                self.assertEqual(self.dul.reject_words((result, source, reason)), (
                    "result %d: %s, source %d: %s, reason %d: %s" % (
                        result, words, source, REJECT_SOURCES[source], reason, sentence)))
        self.assertEqual(self.dul.REJECT_REASONS, REJECT_REASONS)

    def test_each_abort_is_told_in_the_standards_words(self):
        for reason in (0, 1, 6, 255):
            self.assertEqual(self.dul.abort_words(0, reason), "source 0: DICOM UL service-user")
        for source in (1, 2, 3, 255):
            for reason, words in list(enumerate(ABORT_REASONS)) + [(7, "reserved"), (255, "reserved")]:
                self.assertEqual(self.dul.abort_words(source, reason), "source %d: %s, reason %d: %s" % (
                    source, ABORT_SOURCES.get(source, "reserved"), reason, words))

    def test_each_pdu_has_its_name_and_section(self):
        self.assertEqual(self.dul.PDU_NAMES, dict((kind, name) for kind, name, _ in PDUS))
        self.assertEqual(self.dul.PDU_SECTIONS, dict((kind, section) for kind, _, section in PDUS))

    def test_each_result_of_a_context_has_its_word(self):
        self.assertEqual(self.dul.CONTEXT_RESULTS, CONTEXT_RESULTS)

    def test_each_element_has_its_name(self):
        lines = ELEMENTS.strip().splitlines()
        self.assertEqual(len(self.dul.ELEMENT_NAMES), len(lines))
        for line in lines:
            number, name = line.split(" ", 1)
            self.assertEqual(self.dul.element_name(int(number, 16)), "%s (0000,%s)" % (name, number))
        self.assertEqual(self.dul.element_name(0x12AB), "element (0000,12AB)")

    def test_each_command_has_its_name(self):
        due = {0x0FFF: "C-CANCEL-RQ"}
        for field, name in COMMANDS.items():
            due[field], due[field | 0x8000] = name + "-RQ", name + "-RSP"
        self.assertEqual(self.dul.COMMAND_NAMES, due)
        for field, name in due.items():
            self.assertEqual(self.dul.command_name(field), name)
        for field, name in ((0, "command 0000H"), (0x8FFF, "command 8FFFH"), (0xFFFF, "command FFFFH"),
                            (0x31, "command 0031H")):
            self.assertEqual(self.dul.command_name(field), name)

    def test_both_statuses_have_their_words(self):
        self.assertEqual(self.dul.STATUS_NAMES, {0: "Success", 0x0122: "Refused: SOP Class not supported"})

    def test_only_1_to_64_digits_and_dots_are_a_uid(self):
        for uid in (b"1", b"1.2.840.10008.1.1", b"1" * 64, b"0123456789."):
            self.assertTrue(self.dul.is_uid(uid), uid)
        for data in (b"", b"1" * 65, b"1.2\0", b" 1.2", b"1.2a", b"a1.2", b"1a2", b"/", b":", b"\xff"):
            self.assertFalse(self.dul.is_uid(data), data)

    def test_uids_have_names_and_what_is_none_shows_its_length_alone(self):
        table = [(b"1.2.840.10008.1.1", "Verification SOP Class", "=Verification SOP Class"),
                 (b"1.2.840.10008.1.2", "Little Endian Implicit VR", "=Little Endian Implicit VR"),
                 (b"1.2.840.10008.1.2.1", "Little Endian Explicit VR", "=Little Endian Explicit VR"),
                 (b"1.2.840.10008.1.2.2", "Big Endian Explicit VR", "=Big Endian Explicit VR"),
                 (b"1.2.840.10008.5.1.4.1.1.2", "CT Image Storage", "=CT Image Storage"),
                 (b"1.2.3.4", "1.2.3.4", "1.2.3.4"),
                 (b"9" * 64, "9" * 64, "9" * 64),
                 (b"9" * 65, "(65 bytes, not a UID)", "(65 bytes, not a UID)"),
                 (b"x", "(1 byte, not a UID)", "(1 byte, not a UID)"),
                 (b"", "(0 bytes, not a UID)", "(0 bytes, not a UID)"),
                 (b"secret\n", "(7 bytes, not a UID)", "(7 bytes, not a UID)")]
        for uid, name, named in table:
            self.assertEqual(self.dul.uid_name(uid), name)
            self.assertEqual(self.dul.named_uid(uid), named)

    def test_the_names_of_uids_are_pydicoms_of_the_same_uids(self):
        try:
            from pydicom._uid_dict import UID_dictionary
        except ImportError:
            raise unittest.SkipTest("pydicom is not installed: its names are not compared")
        for uid, name in self.dul.UID_NAMES.items():
            self.assertIn(uid, UID_dictionary)
            due = UID_dictionary[uid][0]
            if uid.startswith("1.2.840.10008.5.1.4.1.1"):
                self.assertEqual(name.split(" ")[0], due.split(" ")[0], uid)


both_forms(Words)

if __name__ == "__main__":
    unittest.main()
