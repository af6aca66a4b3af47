"""The dumps of -d: what each fact looks like, and that no secret is in any of them."""
import struct
import unittest
from binascii import hexlify

from support import both_forms, shared, vectors
from wire import (
    CT_IMAGE, RELEASE_RQ, VERIFICATION, abort, associate_rq, context, echo_command, echo_rq, element, item, p_data,
    pdv, reject, user_information)

ROLE = item(0x54, b"\0\5" + b"1.2.3" + b"\1\0")
EVERYTHING = user_information(
    item(0x58, b"\2\1\0\6secret\0\6passwd"), item(0x53, b"\0\2\0\3"), item(0x55, b"NAME_1"),
    item(0x56, b"\0\5" + b"1.2.3" + b"\1\xff"), ROLE, item(0x54, b"\0\x11" + VERIFICATION + b"\1\1"),
    item(0x57, b"\0\5" + b"1.2.3" + b"\0\5" + b"1.2.4" + b"\0\0"))
FOUR = [context(1), context(3, CT_IMAGE), context(5, b"1.2.3"), context(7, transfers=(b"1.2.3",))]
REQUEST_HEAD = ["Request Parameters:", "====================== BEGIN A-ASSOCIATE-RQ ============================="]
REQUEST_END = "======================= END A-ASSOCIATE-RQ =============================="


class Connection(object):
    """What the lines ask of a connection."""

    number, peer = 7, "192.0.2.1:4711"

    def __init__(self, settings):
        self.association = self
        self.settings = settings


class Facts(object):
    """LINES."""

    def lines(self, kind, value, settings=None):
        return self.dul.LINES[kind](Connection(settings or self.dul.Settings()), value)

    def decision(self, data):
        return self.dul.Negotiator(self.dul.Settings()).decide(data)

    def test_a_connection_a_step_and_a_header(self):
        self.assertEqual(self.lines("connected", None), ["Connection 7 from 192.0.2.1:4711"])
        step = (self.dul.Sta2, self.dul.Evt6, "AE-6", self.dul.Sta3)
        self.assertEqual(self.lines("moved", step), ["Sta2 + Evt6 -> AE-6 -> Sta3"])
        self.assertEqual(self.lines("receiving", (4, 74)), ["Received P-DATA-TF (PDU-length 74)"])
        self.assertEqual(self.lines("receiving", (0x99, 2 ** 32 - 1)), ["Received PDU 99H"])     # whatever its length is

    def test_most_facts_have_no_lines(self):
        for kind in ("rejected", "released", "aborting", "aborted", "lost", "bare", "expired", "closed"):
            if kind != "aborting":
                self.assertNotIn(kind, self.dul.LINES)
        for value in (self.dul.Stopped("this server stops"), self.dul.MessageError("no message")):
            self.assertEqual(self.lines("aborting", value), [])

    def test_what_is_sent_is_told_with_the_reason_that_it_gives(self):
        table = [(echo_rq(), "Sending P-DATA-TF (PDU-length 74)"), (RELEASE_RQ, "Sending A-RELEASE-RQ (PDU-length 4)"),
                 (abort(2, 6), "Sending A-ABORT (PDU-length 4), source 2: DICOM UL service-provider, reason 6: "
                               "invalid-PDU-parameter value"),
                 (abort(0, 0), "Sending A-ABORT (PDU-length 4), source 0: DICOM UL service-user"),
                 (reject(2, 3, 2), "Sending A-ASSOCIATE-RJ (PDU-length 4), result 2: rejected-transient, source 3: DICOM UL "
                                   "service-provider (presentation related function), reason 2: local-limit-exceeded")]
        for data, line in table:
            self.assertEqual(self.lines("sending", data), [line])

    def test_a_request_is_dumped_in_the_manuals_words(self):
        self.assertEqual(self.lines("received", self.decision(vectors()["a_associate_rq"]["data"])), REQUEST_HEAD + [
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
            REQUEST_END])

    def test_a_request_with_everything_is_dumped_line_by_line(self):
        lines = self.lines("received", self.decision(associate_rq(FOUR, EVERYTHING, version=3)))
        self.assertEqual(lines, REQUEST_HEAD + [
            "Their Implementation Class UID: 1.2.3.4",
            "Their Implementation Version Name: NAME_1",
            "Application Context Name: 1.2.840.10008.3.1.1.1",
            "Calling Application Name: TESTER",
            "Called Application Name: ECHOSCP",
            "Their Max PDU Receive Size: 16384",
            "Protocol Version: 0003H",
            "Presentation Contexts:",
            "  Context ID: 1 (Proposed)",
            "    Abstract Syntax: =Verification SOP Class",
            "    Proposed SCP/SCU Role: SCU/SCP",
            "    Proposed Transfer Syntaxes:",
            "      =Little Endian Implicit VR",
            "  Context ID: 3 (Proposed)",
            "    Abstract Syntax: =CT Image Storage",
            "    Proposed SCP/SCU Role: Default",
            "    Proposed Transfer Syntaxes:",
            "      =Little Endian Implicit VR",
            "  Context ID: 5 (Proposed)",
            "    Abstract Syntax: 1.2.3",
            "    Proposed SCP/SCU Role: SCU",
            "    Proposed Transfer Syntaxes:",
            "      =Little Endian Implicit VR",
            "  Context ID: 7 (Proposed)",
            "    Abstract Syntax: =Verification SOP Class",
            "    Proposed SCP/SCU Role: SCU/SCP",
            "    Proposed Transfer Syntaxes:",
            "      1.2.3",
            "Requested Asynchronous Operations Window: 2 invoked, 3 performed",
            "Requested Extended Negotiation: 1.2.3: 2 bytes",
            "Requested Common Extended Negotiation: 1.2.3: 1.2.4",
            "Requested User Identity Negotiation: User name and passcode, positive response requested (its content is "
            "not shown)",
            REQUEST_END])

    def test_a_request_without_what_may_be_absent_is_dumped(self):
        lines = self.lines("received", self.decision(associate_rq(user=b"", application=None)))
        for due in ("Their Implementation Class UID: (none)", "Their Implementation Version Name: (none)",
                    "Application Context Name: (none)", "Their Max PDU Receive Size: (none)"):
            self.assertIn(due, lines)
        lines = self.lines("received", self.decision(associate_rq(application=b"1.2.3", version=1)))
        self.assertIn("Application Context Name: 1.2.3 (not DICOM's)", lines)
        self.assertEqual([line for line in lines if line.startswith("Protocol Version")], [])
        lines = self.lines("received", self.decision(associate_rq(application=VERIFICATION)))
        self.assertIn("Application Context Name: =Verification SOP Class (not DICOM's)", lines)

    def test_roles_and_identities_have_their_names_or_numbers(self):
        for values, due in ((b"\0\0", "None"), (b"\1\0", "SCU"), (b"\0\1", "SCP"), (b"\1\1", "SCU/SCP"), (b"\2\7", "2/7")):
            user = user_information(item(0x54, b"\0\x11" + VERIFICATION + values))
            self.assertIn("    Proposed SCP/SCU Role: " + due, self.lines("received", self.decision(associate_rq(user=user))))
        for number, name in ((1, "User name"), (2, "User name and passcode"), (3, "Kerberos service ticket"),
                             (4, "SAML assertion"), (5, "JSON Web Token"), (9, "type 9")):
            for wanted, words in ((1, "positive response requested"), (0, "no response requested")):
                user = user_information(item(0x58, struct.pack("BB", number, wanted) + b"\0\6secret\0\0"))
                lines = self.lines("received", self.decision(associate_rq(user=user)))
                self.assertIn("Requested User Identity Negotiation: %s, %s (its content is not shown)" % (name, words), lines)

    def test_the_answer_says_each_contexts_result(self):
        decision = self.decision(associate_rq(FOUR, EVERYTHING))
        lines = self.lines("accepted", decision, self.dul.Settings(ae_title="MYTITLE", maximum_length=4096))
        self.assertEqual(lines, [
            "Association Parameters Negotiated:",
            "====================== BEGIN A-ASSOCIATE-AC =============================",
            "Our Implementation Class UID: 2.25.77785301408213893004879162580937331298",
            "Our Implementation Version Name: ECHOSCP_" + self.dul.VERSION,
            "Application Context Name: 1.2.840.10008.3.1.1.1",
            "Calling Application Name: TESTER",
            "Called Application Name: ECHOSCP",
            "Our AE Title: MYTITLE",
            "Our Max PDU Receive Size: 4096",
            "Presentation Contexts:",
            "  Context ID: 1 (Accepted)",
            "    Abstract Syntax: =Verification SOP Class",
            "    Accepted SCP/SCU Role: Default",
            "    Accepted Transfer Syntax: =Little Endian Implicit VR",
            "  Context ID: 3 (Refused: 3, abstract-syntax-not-supported)",
            "    Abstract Syntax: =CT Image Storage",
            "  Context ID: 5 (Refused: 3, abstract-syntax-not-supported)",
            "    Abstract Syntax: 1.2.3",
            "  Context ID: 7 (Refused: 4, transfer-syntaxes-not-supported)",
            "    Abstract Syntax: =Verification SOP Class",
            "Accepted Extended Negotiation: none",
            "User Identity Negotiation Response: empty",
            "======================= END A-ASSOCIATE-AC =============================="])
        self.assertIn("User Identity Negotiation Response: none", self.lines("accepted", self.decision(associate_rq())))

    def test_an_echo_is_dumped_with_its_response_by_the_names_of_their_elements(self):
        command = echo_command(513, CT_IMAGE) + element(0x902, b"hello\n") + element(0x901, b"abcd")
        self.assertEqual(self.lines("echoed", self.dul.Echo(3, command, 0)), [
            "====================== BEGIN INCOMING DIMSE MESSAGE =============================",
            "Message Type: C-ECHO-RQ",
            "Presentation Context ID: 3",
            "Message ID: 513",
            "Data Set: none",
            "Affected SOP Class UID (0000,0002): =CT Image Storage",
            "Command Field (0000,0100): 0030H",
            "Message ID (0000,0110): 0201H",
            "Command Data Set Type (0000,0800): 0101H",
            "element (0000,0901): 4 bytes",
            "element (0000,0902): 6 bytes",
            "======================= END INCOMING DIMSE MESSAGE ==============================",
            "====================== BEGIN OUTGOING DIMSE MESSAGE =============================",
            "Message Type: C-ECHO-RSP",
            "Presentation Context ID: 3",
            "Message ID Being Responded To: 513",
            "Data Set: none",
            "DIMSE Status: 0122H, Refused: SOP Class not supported",
            "Affected SOP Class UID (0000,0002): =CT Image Storage",
            "Command Field (0000,0100): 8030H",
            "Message ID Being Responded To (0000,0120): 0201H",
            "Command Data Set Type (0000,0800): 0101H",
            "Status (0000,0900): 0122H",
            "======================= END OUTGOING DIMSE MESSAGE =============================="])
        self.assertIn("DIMSE Status: 0000H, Success", self.lines("echoed", self.dul.Echo(3, echo_command(), 0)))

    def test_a_message_with_a_data_set_says_so(self):
        self.assertIn("Data Set: present", self.dul.message_lines("INCOMING", 1, echo_command(data_set=0)))

    def test_a_message_that_is_not_answered_is_dumped_as_far_as_it_can_be_read(self):
        error = self.dul.MessageError("C-STORE-RQ on Verification")
        error.unanswered = (5, echo_command(4, CT_IMAGE, field=1, data_set=0))
        self.assertEqual(self.lines("aborting", error)[:5], [
            "====================== BEGIN INCOMING DIMSE MESSAGE =============================",
            "Message Type: C-STORE-RQ", "Presentation Context ID: 5", "Message ID: 4", "Data Set: present"])
        error.unanswered = (5, b"\xff" * 20)
        self.assertEqual(self.lines("aborting", error), [])
        error.unanswered = (5, element(0x900, b"\x34\x12"))
        self.assertEqual(self.lines("aborting", error)[3:5], ["Data Set: present", "DIMSE Status: 1234H, unknown"])

    def test_nothing_from_a_peer_comes_out_unescaped(self):
        hostile = b"\x1b]0;x\x07\n\xff\\"
        lines = self.lines("received", self.decision(associate_rq(
            [context(1, hostile, (hostile,))], user=item(0x50, item(0x52, hostile) + item(0x55, hostile)),
            called=hostile, calling=hostile)))
        self.assertTrue(all(0x20 <= ord(character) < 0x7F for line in lines for character in line))
        self.assertIn("Calling Application Name: \\x1b]0;x\\x07\\x0a\\xff\\\\", lines)

    def test_of_what_is_not_what_it_should_be_the_length_alone_is_shown(self):
        lines = self.lines("received", self.decision(associate_rq(
            [context(1, b"password", (b"1.2.3x", b""))],
            user=item(0x50, item(0x52, b"geheim") + item(0x55, b"one byte too long") + item(0x56, b"\0\6secret"))),))
        for due in ("    Abstract Syntax: (8 bytes, not a UID)", "      (6 bytes, not a UID)",
                    "      (0 bytes, not a UID)",
                    "Their Implementation Class UID: (6 bytes, not a UID)",
                    "Their Implementation Version Name: (17 bytes, not a version name)",
                    "Requested Extended Negotiation: (6 bytes, not a UID): 0 bytes"):
            self.assertIn(due, lines)
        for name, shown in ((b"x" * 16, "x" * 16), (b"a\\b", "(3 bytes, not a version name)"),
                            (b"\n", "(1 byte, not a version name)")):
            self.assertEqual(self.dul.shown_name(name), shown)


class Broken(object):
    """invalid_lines()."""

    def error(self, data, first=()):
        """The InvalidPDU that these bytes are, after what comes first; None where they are none."""
        association = self.dul.Association(self.dul.Negotiator(self.dul.Settings()), lambda: True)
        association.open()
        for each in tuple(first) + (data,):
            association.effects = []
            if association.header(*struct.unpack(">BxI", each[:6]), data=each) is self.dul.READ:
                association.pdu(each[:6 + struct.unpack(">I", each[2:6])[0]])
            if association.undecided:
                association.respond()
        return ([value for _, value in association.effects if isinstance(value, self.dul.InvalidPDU)] or [None])[0]

    def lines(self, data, first=()):
        return self.dul.invalid_lines(self.error(data, first))

    def test_the_field_of_a_fault_is_shown_with_what_was_understood_before_it(self):
        rq = associate_rq(user=EVERYTHING)
        self.assertEqual(self.lines(rq[:76] + b"\x12\x34" + rq[78:]), [
            "====================== BEGIN INVALID PDU =============================",
            "0000  01 00 00 00 01 15",
            "000a  45 43 48 4f 53 43 50 20 20 20 20 20 20 20 20 20  ECHOSCP         ",
            "001a  54 45 53 54 45 52 20 20 20 20 20 20 20 20 20 20  TESTER          ",
            "004a  10 00 12 34",
            "241 bytes not shown",
            "======================= END INVALID PDU =============================="])

    def test_the_header_of_an_item_that_is_not_known_is_shown_where_it_is_the_fault(self):
        for extra in (b"\x99\0\x12\x34", b"\x99\0\0\4abcd\x98\0\x12\x34"):
            lines = self.lines(associate_rq(user=user_information(extra)))
            fault = lines[-3].split("  ")
            self.assertEqual(fault[1], " ".join(["%02x" % code for code in bytearray(extra[-4:])]))
            self.assertEqual([line for line in lines if "99 00 00 04" in line], [])     # no fault, and nobody knows it

    def test_of_a_request_with_a_bad_length_the_header_is_shown_though_titles_came_with_it(self):
        rq = associate_rq()
        for length in (0, 67, 2 ** 31):
            data = rq[:2] + struct.pack(">I", length) + rq[6:]
            header = " ".join(["%02x" % code for code in bytearray(data[:6])])
            self.assertEqual(self.lines(data)[1:-1], ["0000  " + header, "%d bytes not shown" % (len(rq) - 6)])

    def test_items_before_the_fault_show_their_headers_and_uids_and_no_contents(self):
        rq = associate_rq(user=EVERYTHING)
        self.assertEqual(self.lines(rq[:-2] + b"\x12\x34")[4:], [
            "004a  10 00 00 15",
            "004e  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 33 2e 31 2e 31 2e 31  1.2.840.10008.3.1.1.1",
            "0063  20 00 00 2e",
            "006b  30 00 00 11",
            "006f  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 31  1.2.840.10008.1.1",
            "0080  40 00 00 11",
            "0084  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 32  1.2.840.10008.1.2",
            "0095  50 00 00 82",
            "0099  51 00 00 04",
            "00a1  52 00 00 07",
            "00a5  31 2e 32 2e 33 2e 34  1.2.3.4",
            "00ac  58 00 00 12",
            "00c2  53 00 00 04",
            "00ca  55 00 00 06",
            "00d4  56 00 00 09",
            "00e1  54 00 00 09",
            "00ee  54 00 00 15",
            "0107  57 00 00 10",
            "127 bytes not shown",
            "======================= END INVALID PDU =============================="])

    def test_of_what_is_no_pdu_the_type_alone_is_shown_and_of_a_bad_length_the_header(self):
        self.assertEqual(self.lines(b"GET / HTTP/1.1\r\nAuth: secret")[1:-1], ["0000  47", "27 bytes not shown"])
        self.assertEqual(self.lines(b"\1\0\0\0\0\0secret")[1:-1], ["0000  01 00 00 00 00 00", "6 bytes not shown"])
        self.assertEqual(self.lines(b"\7\0\0\0\0\0")[1:-1], ["0000  07 00 00 00 00 00", "0 bytes not shown"])
        self.assertEqual(self.lines(b"\4\0\0\0\0\5secret", [associate_rq()])[1:-1], [
            "0000  04 00 00 00 00 05", "6 bytes not shown"])

    def test_of_a_p_data_tf_the_headers_of_its_pdvs_are_shown_up_to_the_fault(self):
        data = p_data(pdv(b"secret", 1, 1), pdv(b"geheim", 1, 1), b"\xff\xff\0\2\1\3passwd")
        self.assertEqual(self.lines(data, [associate_rq()])[1:-1], [
            "0000  04 00 00 00 00 24",
            "0006  00 00 00 08 01 01",
            "0012  00 00 00 08 01 01",
            "001e  ff ff 00 02", "20 bytes not shown"])

    def test_titles_and_uids_are_shown_only_where_they_look_like_it(self):
        data = associate_rq([context(1, b"1.2.3")], called=b"TITLE\x07", calling=b"\xff", extra=item(0x10, b"1.2.x")
                            + item(0x30, b"1.2.4") + b"\x99")
        last = self.lines(associate_rq(called=b"FIFTEEN_LETTERS\x07", calling=b"FIFTEEN_LETTERS_", extra=b"\x99"))
        self.assertEqual([line[:4] for line in last[1:4]], ["0000", "001a", "004a"])
        lines = self.lines(data)
        self.assertEqual(lines[1:3], ["0000  01 00 00 00 00 ad", "004a  10 00 00 15"])
        self.assertEqual(lines[-6:-2], [
            "0099  31 2e 32 2e 33 2e 34  1.2.3.4", "00a0  10 00 00 05", "00a9  30 00 00 05", "00ad  31 2e 32 2e 34"])

    def test_a_dump_is_bounded_though_the_fault_is_far_behind(self):
        rq = associate_rq([context(1)] * 120, extra=b"\x99")
        pdata = p_data(*[pdv(b"x", 1, 1)] * 300 + [b"\xff\xff\xff\xff\1\3"])
        for data, first, most in ((rq, (), 160), (pdata, [associate_rq()], 160)):
            error = self.error(data, first)
            self.assertGreater(error.offset, 2000)
            lines = self.dul.invalid_lines(error)
            self.assertTrue(50 < len(lines) < most)
            self.assertLess(max(int(line.split()[0], 16) for line in lines[1:-2]), 1024)
            self.assertEqual([line for line in lines[1:-2] if len(line) < 6 + 2], [])
            shown = sum(len([cell for cell in line[6:].split() if len(cell) == 2]) for line in lines[1:-2])
            self.assertEqual(lines[-2], "%d bytes not shown" % (len(error.data) - shown))

    def damaged(self, request, secrets):
        """Each request that has one field damaged, and each one cut short with its length made right."""
        for offset in range(6, len(request)):
            for value in (0, 1, 4, 5, 0x10, 0x30, 0x40, 0x50, 0x52, 0x55, 0x57, 0x58, 0xFF):
                damaged = request[:offset] + struct.pack("B", value) + request[offset + 1:]
                if all(secret in damaged for secret in secrets):
                    yield damaged
        for length in range(74, len(request)):
            yield request[:2] + struct.pack(">I", length - 6) + request[6:]

    def test_no_secret_is_in_any_line_whatever_single_byte_is_damaged(self):
        """Where a length is damaged, the fault may be found in a secret: then up to four of its bytes, which pass for the
        header of an item, are what was found. Of five bytes in a row, no line has any."""
        for name, word in ((b"maria-huber", b"Geheim-Pass"), (b"19991231.77", b"7.77.777.9999")):
            identity = item(0x58, b"\2\1" + struct.pack(">H", len(name)) + name + struct.pack(">H", len(word)) + word)
            for before, after in ((b"", b""), (item(0x55, b"NAME"), b""), (item(0x56, b"\0\3" + b"1.2"), item(0x55, b"NAME")),
                                  (item(0x99, b"abcd"), item(0x52, b"1.2.3"))):
                request = associate_rq(user=user_information(before + identity + after))
                parts = [secret[at:at + 5] for secret in (name, word) for at in range(len(secret) - 4)]
                forbidden = [part.decode("ascii") for part in parts if b"." not in part]    # dots stand for others, too
                hexadecimal = [" ".join(["%02x" % code for code in bytearray(part)]) for part in parts]
                for data in shared(self.dul, self.damaged(request, (name, word))):
                    text = "\n".join(self.all_lines(data))
                    found = [each for each in forbidden + hexadecimal if each in text]
                    self.assertEqual(found, [], (hexlify(data), text))

    def all_lines(self, data):
        """All that is logged of a request, whether it is broken or not."""
        error = self.error(data)
        if error is not None:
            return [str(error), self.dul.explanation(error)] + self.dul.invalid_lines(error)
        decision = self.dul.Negotiator(self.dul.Settings()).decide(data)
        connection = Connection(self.dul.Settings())
        return (self.dul.LINES["received"](connection, decision) + self.dul.LINES["accepted"](connection, decision)
                + [decision.problem(), str(decision.rejected)])


both_forms(Facts)
both_forms(Broken)

if __name__ == "__main__":
    unittest.main()
