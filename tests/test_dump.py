"""The dumps of -d."""
import unittest

from support import both_forms, vectors
from wire import CT_IMAGE, associate_rq, context, echo_command, item, user_information


class Dumps(object):
    """request_lines() and its relatives."""

    def request(self, data):
        return self.dul.AAssociateRQ.decode(data)

    def test_a_request_is_dumped_in_the_manuals_words(self):
        lines = self.dul.request_lines(self.request(vectors()["a_associate_rq"]["data"]))
        self.assertEqual(lines, [
            "Request Parameters:",
            "====================== BEGIN A-ASSOCIATE-RQ =============================",
            "Their Implementation Class UID: 2.25.329800735698586629295641978511506172918",
            "Their Implementation Version Name: EXAMPLE_SCU_1",
            "Application Context Name: 1.2.840.10008.3.1.1.1",
            "Calling Application Name: ECHO_SCU",
            "Called Application Name: ECHO_SCP",
            "Their Max PDU Receive Size: 16384",
            "Presentation Contexts:",
            "  Context ID: 1 (Proposed)",
            "    Abstract Syntax: =Verification SOP Class",
            "    Proposed SCP/SCU Role: Default",
            "    Proposed Transfer Syntaxes:",
            "      =Little Endian Implicit VR",
            "      =Little Endian Explicit VR",
            "      =Big Endian Explicit VR",
            "Requested Extended Negotiation: none",
            "Requested User Identity Negotiation: none",
            "======================= END A-ASSOCIATE-RQ =============================="])

    def test_the_answer_says_each_contexts_result(self):
        request = self.request(associate_rq([context(1), context(3, CT_IMAGE), context(5, transfers=(b"1.2.3",))]))
        ac = self.dul.negotiate(request, self.dul.Settings()).ac
        lines = self.dul.acceptance_lines(request, ac, "MYTITLE")
        for due in ("Our AE Title: MYTITLE", "Our Max PDU Receive Size: 16384", "  Context ID: 1 (Accepted)",
                    "    Accepted Transfer Syntax: =Little Endian Implicit VR",
                    "  Context ID: 3 (Refused: 3, abstract-syntax-not-supported)",
                    "  Context ID: 5 (Refused: 4, transfer-syntaxes-not-supported)"):
            self.assertIn(due, lines)

    def test_negotiations_are_shown_and_secrets_are_not(self):
        user = user_information(item(0x58, b"\2\1\0\6secret\0\6passwd"), item(0x53, b"\0\2\0\3"),
                                item(0x56, b"\0\5" + b"1.2.3" + b"\1\xff"), item(0x54, b"\0\5" + b"1.2.3" + b"\1\0"))
        text = "\n".join(self.dul.request_lines(self.request(associate_rq(user=user))))
        self.assertIn("Requested User Identity Negotiation: User name and passcode, positive response requested", text)
        self.assertIn("Requested Asynchronous Operations Window: 2 invoked, 3 performed", text)
        self.assertIn("Requested Extended Negotiation: 1.2.3: 01 ff", text)
        self.assertNotIn("secret", text)
        self.assertNotIn("passwd", text)

    def test_nothing_from_a_peer_comes_out_unescaped(self):
        hostile = b"\x1b]0;x\x07\n\xff\\"
        lines = self.dul.request_lines(self.request(associate_rq(
            [context(1, hostile, (hostile,))], user=item(0x50, item(0x52, hostile) + item(0x55, hostile)),
            called=hostile, calling=hostile)))
        self.assertTrue(all(0x20 <= ord(character) < 0x7F for line in lines for character in line))
        self.assertIn("Calling Application Name: \\x1b]0;x\\x07\\x0a\\xff\\\\", lines)

    def test_a_request_with_everything_missing_is_dumped(self):
        lines = self.dul.request_lines(self.request(associate_rq([], user=b"", application=None)))
        for due in ("Their Implementation Class UID: (none)", "Application Context Name: (none)",
                    "Their Max PDU Receive Size: (none)", "Presentation Contexts: none"):
            self.assertIn(due, lines)

    def test_messages_are_dumped_by_the_names_of_their_elements(self):
        data = echo_command(513)
        lines = self.dul.message_lines("INCOMING", 3, self.dul.CommandSet.decode(data), data)
        self.assertEqual(lines[0], "====================== BEGIN INCOMING DIMSE MESSAGE =============================")
        self.assertEqual(lines[1:5], ["Message Type: C-ECHO-RQ", "Presentation Context ID: 3", "Message ID: 513",
                                      "Data Set: none"])
        response = self.dul.EchoRequest(513, None).response()
        lines = self.dul.message_lines("OUTGOING", 3, self.dul.CommandSet.decode(response), response)
        self.assertIn("DIMSE Status: 0000H, Success", lines)
        self.assertTrue(self.dul.message_lines("INCOMING", 1, self.dul.CommandSet([]), b""))

    def test_hex_dumps_are_bounded(self):
        self.assertEqual(self.dul.hex_lines(b"ABC\0\xff"), ["0000  41 42 43 00 ff" + " " * 33 + "  ABC.."])
        lines = self.dul.hex_lines(b"x" * 100000)
        self.assertEqual((len(lines), lines[-1]), (65, "... and 98976 bytes that are not shown"))

    def test_uids_have_names(self):
        self.assertEqual(self.dul.named_uid(b"1.2.840.10008.1.1"), "=Verification SOP Class")
        self.assertEqual(self.dul.named_uid(b"1.2.3.4"), "1.2.3.4")
        self.assertIn(self.dul.named_uid(CT_IMAGE), ("=CT Image Storage", CT_IMAGE.decode()))
        self.assertEqual(self.dul.named_uid(b"1.2.840.10008.\n"), "1.2.840.10008.\\x0a")


both_forms(Dumps)

if __name__ == "__main__":
    unittest.main()
