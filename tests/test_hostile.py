"""The whole decision as one table: what arrives, in which state, what goes back, how it ends, what is told."""
import re
import struct
import unittest

from support import LogCapture, both_forms, serve, wait_until
from wire import (
    BIG, CT_IMAGE, IMPLICIT, RELEASE_RP, RELEASE_RQ, VERIFICATION, Peer, abort, associate_rq, command, context,
    echo_command, echo_rq, echo_rsp, element, item, p_data, pdu, pdv, reject, us, user_information)

USER_ABORT = abort(0, 0)
UNRECOGNIZED, UNEXPECTED, INVALID = abort(2, 1), abort(2, 2), abort(2, 6)
ACCEPTED = "an A-ASSOCIATE-AC with at least one context"
REFUSED = "an A-ASSOCIATE-AC with no context, then an A-ABORT 0/0"
LARGEST = struct.pack(">I", 0xFFFFFFFF)
RQ = associate_rq()
ALL_PDUS = {"RQ": RQ, "AC": pdu(2, RQ[6:]), "RJ": reject(1, 1, 1), "P-DATA": echo_rq(), "RELEASE-RQ": RELEASE_RQ,
            "RELEASE-RP": RELEASE_RP, "ABORT": USER_ABORT}

# C-ECHO-RSP to the message 4 that named another SOP class: it names it, too (PS3.7 9.1.5)
WRONG_CLASS_RSP = p_data(pdv(command(element(2, CT_IMAGE + b"\0"), element(0x100, us(0x8030)), element(0x120, us(4)),
                                     element(0x800, us(0x0101)), element(0x900, us(0x0122)))))


def sub_item(kind, body):
    """An RQ with one user information sub-item more."""
    return associate_rq(user=user_information(item(kind, body)))


def lying(data, offset, size, value):
    """The same bytes with another number somewhere."""
    return data[:offset] + struct.pack({1: ">B", 2: ">H", 4: ">I"}[size], value) + data[offset + size:]


# In Sta2, before anything else: (name, what arrives, what goes back, words of the sentence that is told or None)
STA2 = [
    ("HTTP", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" * 50, USER_ABORT, "HTTP request (GET / HTTP/1.1)"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"R" * 1000, USER_ABORT, "TLS ClientHello"),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", USER_ABORT, "SSH (SSH-2.0-OpenSSH_9.2)"),
    ("HL7", b"\x0bMSH|^~\\&|A|B\r\x1c\r", USER_ABORT, "HL7 version 2"),
    ("random bytes", b"\x9f\x86\xd0\x81\x88\x4c\x7d\x65" * 40, USER_ABORT, "PDU-type at byte 0 is 9FH"),
    ("version 0", associate_rq(version=0), reject(1, 2, 2), "Protocol-version 0000H"),
    ("version 2", associate_rq(version=2), reject(1, 2, 2), "Protocol-version 0002H"),
    ("version 3", associate_rq(version=3), ACCEPTED, None),
    ("version FFFF", associate_rq(version=0xFFFF), ACCEPTED, None),
    ("another application context", associate_rq(application=b"1.2.3"), reject(1, 1, 2),
     "Application-context-name 1.2.3"),
    ("no application context", associate_rq(application=None), reject(1, 1, 2), "Application-context-name (none)"),
    ("no contexts", associate_rq([]), USER_ABORT,
     "number of Presentation Context items (20H) at byte 74 is 0, due: 1 to"),
    ("128 contexts", associate_rq([context(i) for i in range(1, 256, 2)]), ACCEPTED, None),
    ("129 contexts", associate_rq([context(1)] * 129), USER_ABORT,
     "number of Presentation Context items (20H) at byte 74"),
    ("duplicate IDs", associate_rq([context(1), context(1)]), ACCEPTED, None),
    ("even ID", associate_rq([context(2)]), ACCEPTED, None),
    ("another service", associate_rq([context(1, CT_IMAGE)]), REFUSED, "proposed 1 context, no Verification: "),
    ("no transfer syntax in common", associate_rq([context(1, VERIFICATION, (b"1.2.840.10008.1.2.4.50",))]), REFUSED,
     "Verification with no transfer syntax that is taken here: "),
    ("no 50H", associate_rq(user=b""), ACCEPTED, None),
    ("empty 50H", associate_rq(user=item(0x50, b"")), ACCEPTED, None),
    ("doubled 50H", associate_rq(user=user_information() * 2), ACCEPTED, None),
    ("doubled 10H", associate_rq(extra=item(0x10, b"1.2.3")), ACCEPTED, None),
    ("unknown items", associate_rq(extra=item(0xEE, b"x") + item(0, b"")), ACCEPTED, None),
    ("unknown sub-item", sub_item(0xEE, b"abc"), ACCEPTED, None),
    ("UID of 0 bytes", associate_rq([context(1, b"")]), REFUSED, "no Verification"),
    ("UID of 64 bytes", associate_rq([context(1, b"1." * 31 + b"11")]), REFUSED, "no Verification"),
    ("UID of 65 bytes", associate_rq([context(1, b"1." * 32 + b"1")]), REFUSED, "no Verification"),
    ("UID padded with NULs", associate_rq([context(1, VERIFICATION + b"\0\0", (IMPLICIT + b"\0",))]), ACCEPTED, None),
    ("UID padded with spaces", associate_rq([context(1, b" " + VERIFICATION + b" ", (BIG + b"  ",))]), ACCEPTED, None),
    ("titles of spaces", associate_rq(called=b" " * 16, calling=b" " * 16), ACCEPTED, None),
    ("titles of NULs", associate_rq(called=b"\0" * 16, calling=b"\0" * 16), ACCEPTED, None),
    ("titles of escape sequences and high bytes", associate_rq(called=b"\x1b[2J\r\n%s", calling=b"\xff" * 16),
     ACCEPTED, None),
    ("user identity", sub_item(0x58, b"\2\0\0\4name\0\4pass"), ACCEPTED, None),
    ("user identity, response asked for", sub_item(0x58, b"\1\1\0\4name\0\0"), ACCEPTED, None),
    ("PDU-length 2^32-1", lying(RQ, 2, 4, 0xFFFFFFFF), USER_ABORT, "PDU-length at byte 2 is 4294967295"),
    ("PDU-length over 1 MiB", lying(RQ, 2, 4, 1048577), USER_ABORT, "PDU-length at byte 2 is 1048577"),
    ("PDU-length 67", lying(RQ, 2, 4, 67), USER_ABORT, "PDU-length at byte 2 is 67, due: at least 68"),
    ("PDU-length 0", lying(RQ, 2, 4, 0), USER_ABORT, "PDU-length at byte 2 is 0"),
    ("PDU-length one less", lying(RQ, 2, 4, len(RQ) - 7), USER_ABORT, "Item-length of item 50H"),
    ("item-length up", lying(RQ, 76, 2, 22), USER_ABORT, "A-ASSOCIATE-RQ"),
    ("item-length down", lying(RQ, 76, 2, 20), USER_ABORT, "A-ASSOCIATE-RQ"),
    ("item-length 65535", lying(RQ, 76, 2, 65535), USER_ABORT, "Item-length of item 10H in A-ASSOCIATE-RQ at byte 76"),
    ("context's item-length 0", lying(RQ, 101, 2, 0), USER_ABORT,
     "Item-length of Presentation Context at byte 101 is 0"),
    ("sub-item-length 65535", lying(RQ, 109, 2, 65535), USER_ABORT, "Item-length of item 30H in Presentation Context"),
    ("51H of 3 bytes", sub_item(0x51, b"\0\0\1"), USER_ABORT, "Maximum-length-received of Maximum Length"),
    ("51H of 5 bytes", sub_item(0x51, b"\0\0\1\0\0"), USER_ABORT, "Item-length of Maximum Length"),
    ("53H of 3 bytes", sub_item(0x53, b"\0\0\1"), USER_ABORT, "of Asynchronous Operations Window"),
    ("54H whose UID-length lies", sub_item(0x54, b"\xff\xff" + b"1.2\0\0"), USER_ABORT,
     "SOP-class-UID-length of SCP/SCU"),
    ("56H whose UID-length lies", sub_item(0x56, b"\0\4" + b"1.2"), USER_ABORT,
     "SOP-class-UID-length of SOP Class Ext"),
    ("57H whose list lies", sub_item(0x57, b"\0\1" + b"1" + b"\0\1" + b"2" + b"\0\4\0\7ab"), USER_ABORT,
     "Related-general-sop-class-UID-length of SOP Class Common Extended Negotiation"),
    ("58H whose lengths lie", sub_item(0x58, b"\2\0\0\4name\0\5pass"), USER_ABORT,
     "Secondary-field-length of User Identity"),
    ("an A-ABORT with a wrong length", pdu(7, b""), USER_ABORT, "A-ABORT: PDU-length at byte 2 is 0, due: 4"),
    ("an A-RELEASE-RQ with a wrong length", pdu(5, b"12345"), USER_ABORT, "A-RELEASE-RQ: PDU-length at byte 2 is 5"),
    ("a huge P-DATA-TF", pdu(4, b"")[:2] + LARGEST, USER_ABORT, "P-DATA-TF: PDU-length at byte 2 is 4294967295"),
]
STA2 += [("%s first" % name, data, USER_ABORT, " in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)")
         for name, data in sorted(ALL_PDUS.items()) if name not in ("RQ", "ABORT")]
STA2.append(("ABORT first", USER_ABORT, b"", "A-ABORT from the peer: source 0"))

# In Sta6, with contexts 1 (Verification) accepted and 3 (another service) refused.
STA6 = [
    ("an echo", echo_rq(5), echo_rsp(5), None),
    ("pipelined echoes and a release", echo_rq(1) + echo_rq(2) + RELEASE_RQ, echo_rsp(1) + echo_rsp(2) + RELEASE_RP,
     None),
    ("two PDVs in one PDU", p_data(pdv(echo_command()[:20], 1, 1), pdv(echo_command()[20:])), echo_rsp(), None),
    ("two messages in one PDU", p_data(pdv(echo_command(1)), pdv(echo_command(2))), echo_rsp(1) + echo_rsp(2), None),
    ("control header FFH", p_data(pdv(echo_command(), 1, 0xFF)), echo_rsp(), None),
    ("odd fragments", p_data(pdv(echo_command()[:7], 1, 1)) + p_data(pdv(echo_command()[7:])), echo_rsp(), None),
    ("no SOP class", p_data(pdv(echo_command(sop_class=None))), echo_rsp(), None),
    ("a wrong SOP class", p_data(pdv(echo_command(4, CT_IMAGE))), WRONG_CLASS_RSP, None),
    ("a wrong group length",
     p_data(pdv(command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)), length=3))),
     echo_rsp(), None),
    ("no group length", p_data(pdv(command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)),
                                           length=None))), echo_rsp(), None),
    ("C-STORE-RQ", p_data(pdv(echo_command(field=1))), USER_ABORT, "C-STORE-RQ on Verification"),
    ("C-FIND-RQ", p_data(pdv(echo_command(field=0x20))), USER_ABORT, "C-FIND-RQ on Verification"),
    ("C-CANCEL-RQ", p_data(pdv(echo_command(field=0xFFF))), USER_ABORT, "C-CANCEL-RQ on Verification"),
    ("C-ECHO-RSP", echo_rsp(), USER_ABORT, "C-ECHO-RSP on Verification"),
    ("a command without a name", p_data(pdv(echo_command(field=0x1234))), USER_ABORT, "command 1234H on Verification"),
    ("a data set announced", p_data(pdv(echo_command(data_set=0))), USER_ABORT, "C-ECHO-RQ with a data set"),
    ("a data set before its command", p_data(pdv(b"abcd", 1, 2)), USER_ABORT,
     "fragment of a data set, due: of a command"),
    ("a data set beside its command", p_data(pdv(echo_command()), pdv(b"abcd", 1, 2)), echo_rsp() + USER_ABORT,
     "fragment of a data set"),
    ("a data set amid its command", p_data(pdv(echo_command()[:8], 1, 1), pdv(b"abcd", 1, 2)), USER_ABORT,
     "fragment of a data set"),
    ("a context that was refused", p_data(pdv(echo_command(), 3)), USER_ABORT,
     "Presentation-context-ID is 3, due: one that"),
    ("a context that was not proposed", p_data(pdv(echo_command(), 77)), USER_ABORT, "Presentation-context-ID is 77"),
    ("an empty command set", p_data(pdv(b"")), USER_ABORT, "Command Field (0000,0100) is absent"),
    ("a command set of garbage", p_data(pdv(b"\xde\xad\xbe\xef" * 5)), USER_ABORT,
     "command set: group at byte 0 is ADDEH"),
    ("an element length of 2^32-1", p_data(pdv(lying(echo_command(), 16, 4, 0xFFFFFFFF))), USER_ABORT,
     "command set: Value Length of Affected SOP Class UID (0000,0002) at byte 16 is 4294967295, due: at most 48"),
    ("fragments that never end", p_data(pdv(b"x" * 16000, 1, 1)) * 5, USER_ABORT,
     "command set: longer than 65536 bytes"),
    ("empty fragments that never end", p_data(*[pdv(b"", 1, 1)] * 2000) * 17, USER_ABORT, "longer than 65536 bytes"),
    ("P-DATA-TF with no PDV", pdu(4, b""), INVALID, "P-DATA-TF: PDU-length at byte 2 is 0, due: at least 6"),
    ("P-DATA-TF over the maximum", pdu(4, b"\0" * 16385), INVALID, "PDU-length at byte 2 is 16385, due: at most 16384"),
    ("P-DATA-TF of 2^32-1", pdu(4, b"")[:2] + LARGEST, INVALID,
     "PDU-length at byte 2 is 4294967295, due: at most 16384"),
    ("PDV length 2^32-1", lying(echo_rq(), 6, 4, 0xFFFFFFFF), INVALID,
     "Item-length of PDV item at byte 6 is 4294967295"),
    ("PDV length 0", lying(echo_rq(), 6, 4, 0), INVALID, "Item-length of PDV item at byte 6 is 0"),
    ("PDV length 1", lying(echo_rq(), 6, 4, 1), INVALID, "Item-length of PDV item at byte 6 is 1"),
    ("PDV length up", lying(echo_rq(), 6, 4, 71), INVALID, "Item-length of PDV item at byte 6 is 71, due: 2 to 70"),
    ("PDV length down", lying(echo_rq(), 6, 4, 69), INVALID, "PDV item at byte 79 is cut off: 1 bytes are left"),
    ("PDU type 00H", pdu(0, b""), UNRECOGNIZED, "PDU-type at byte 0 is 00H"),
    ("PDU type 08H", pdu(8, b"abcd"), UNRECOGNIZED, "PDU-type at byte 0 is 08H"),
    ("PDU type FFH of 2^32-1", b"\xff\0" + LARGEST, UNRECOGNIZED, "PDU-type at byte 0 is FFH"),
    ("A-RELEASE-RQ of 5 bytes", pdu(5, b"12345"), INVALID, "A-RELEASE-RQ: PDU-length at byte 2 is 5, due: 4"),
    ("A-ABORT of 3 bytes", pdu(7, b"123"), INVALID, "A-ABORT: PDU-length at byte 2 is 3, due: 4"),
    ("A-ASSOCIATE-RQ of 67 bytes", pdu(1, b"x" * 67), INVALID, "A-ASSOCIATE-RQ: PDU-length at byte 2 is 67"),
    ("a second A-ASSOCIATE-RQ", RQ, UNEXPECTED, "A-ASSOCIATE-RQ in Sta6"),
    ("A-ASSOCIATE-AC", ALL_PDUS["AC"], UNEXPECTED, "A-ASSOCIATE-AC in Sta6"),
    ("A-ASSOCIATE-RJ", ALL_PDUS["RJ"], UNEXPECTED, "A-ASSOCIATE-RJ in Sta6"),
    ("A-RELEASE-RP", RELEASE_RP, UNEXPECTED, "A-RELEASE-RP in Sta6"),
    ("A-RELEASE-RQ", RELEASE_RQ, RELEASE_RP, None),
    ("A-ABORT of the user", USER_ABORT, b"", "A-ABORT from the peer: source 0: DICOM UL service-user"),
    ("A-ABORT of the provider", abort(2, 4), b"",
     "source 2: DICOM UL service-provider, reason 4: unrecognized-PDU parameter"),
    ("A-ABORT with reserved numbers", abort(9, 99), b"", "source 9: reserved, reason 99: reserved"),
    ("an end of the stream", b"", b"", "connection closed by the peer in Sta6"),
    ("an end in the middle", echo_rq()[:40], b"", "closed by the peer in Sta6 (association established, ready for data "
                                                  "transfer), after 40 of 80 bytes of P-DATA-TF"),
]

# In Sta13, after each way into it: every PDU type (PS3.8 Table 9-10, last column).
STA13_WAYS = [("after A-RELEASE-RP", [RQ, RELEASE_RQ]), ("after A-ASSOCIATE-RJ", [associate_rq(version=0)]),
              ("after A-ABORT in Sta2", [RELEASE_RQ]), ("after A-ABORT in Sta6", [RQ, RQ]),
              ("after an unknown PDU in Sta2", [pdu(0x99, b"abc")]),
              ("after an unknown PDU in Sta6", [RQ, pdu(0x99, b"abc")])]
STA13 = [("RQ", UNEXPECTED), ("AC", b""), ("RJ", b""), ("P-DATA", b""), ("RELEASE-RQ", b""), ("RELEASE-RP", b"")]


class Table(object):
    """Each row, over a real socket."""

    def setUp(self):
        self.notices = []
        self.server = serve(self, on_event=self.notices.append)

    def sentences(self):
        """What was told, once the association is over."""
        wait_until(lambda: self.notices and self.notices[-1].kind == "closed", "it is over")
        return [notice.sentence for notice in self.notices if notice.sentence]

    def check(self, name, got, due, words):
        if due == ACCEPTED:
            self.assertEqual(got[:1], b"\x02", name)
            self.assertEqual(len(got), 6 + struct.unpack(">I", got[2:6])[0], name)
        elif due == REFUSED:
            self.assertEqual((got[:1], got[-10:]), (b"\x02", USER_ABORT), name)
            self.assertEqual(len(got), 6 + struct.unpack(">I", got[2:6])[0] + 10, name)
        else:
            self.assertEqual(got, due, name)
        told = self.sentences()
        if words is None:
            told = [each for each in told if "closed by the peer in Sta6" not in each
                    and "answered with status" not in each]
            self.assertEqual(told, [], name)
        else:
            self.assertEqual(len(told), 1, (name, told))
            self.assertIn(words, told[0], name)
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in told[0]), name)
        del self.notices[:]

    def test_sta2(self):
        for name, data, due, words in STA2:
            with Peer(self.server.address) as peer:
                got = peer.send(data).finish()
            self.check(name, got, due, words)

    def test_sta2_answers_on_the_header_alone(self):
        for name, data, due, words in STA2:
            if due == USER_ABORT and "PDU-type" in words or "in Sta2" in (words or ""):
                with Peer(self.server.address) as peer:
                    self.assertEqual(peer.send(data[:6]).read(10), due, name)
                self.sentences()
                del self.notices[:]

    def test_sta6(self):
        for name, data, due, words in STA6:
            with Peer(self.server.address) as peer:
                self.assertEqual(peer.associate([context(1), context(3, CT_IMAGE)])[:1], b"\x02")
                got = peer.send(data).finish()
            self.check(name, got, due, words)

    def test_sta6_byte_by_byte(self):
        for name, data, due, words in STA6:
            if len(data) < 300:
                with Peer(self.server.address) as peer:
                    peer.associate([context(1), context(3, CT_IMAGE)])
                    try:
                        for offset in range(len(data)):
                            peer.send(data[offset:offset + 1])
                        got = peer.finish()
                    except EnvironmentError:    # it had closed before all was sent, after an A-ABORT of ours
                        self.assertEqual(due, b"", name)
                        got = b""
                self.check(name, got, due, words)

    def test_sta13_has_an_answer_for_every_pdu(self):
        for way, conversation in STA13_WAYS:
            for name, due in STA13:
                with Peer(self.server.address) as peer:
                    for data in conversation:
                        self.assertTrue(peer.send(data).pdu(), way)
                    self.assertEqual(peer.send(ALL_PDUS[name]).finish(), due, (way, name))
            with Peer(self.server.address) as peer:
                for data in conversation:
                    peer.send(data).pdu()
                self.assertEqual(peer.send(USER_ABORT).rest(), b"", way)     # Evt16: it closes
        for way, conversation in STA13_WAYS[:4]:
            with Peer(self.server.address) as peer:
                for data in conversation:
                    peer.send(data).pdu()
                self.assertEqual(peer.send(pdu(0x99, b"")).finish(), UNRECOGNIZED, way)

    def test_a_stream_that_is_no_dicom_at_all_is_not_answered_again_and_again(self):
        for data in (b"\0" * 60000, b"\x99" * 60000, b"\x07\0\0\0\0\0" * 5000):
            with Peer(self.server.address) as peer:
                self.assertLessEqual(len(peer.send(data).finish()), 20)

    def test_a_peer_whose_maximum_lets_nothing_through_is_told_when_it_matters(self):
        for maximum in (1, 7):
            with Peer(self.server.address) as peer:
                self.assertEqual(peer.associate(user=user_information(maximum=maximum))[:1], b"\x02")
                got = peer.send(echo_rq()).finish()
            self.check(maximum, got, USER_ABORT, "Maximum-length-received is %d" % maximum)

    def test_responses_are_cut_to_the_peers_maximum(self):
        for maximum in (8, 9, 14, 50, 83):
            with Peer(self.server.address) as peer:
                peer.associate(user=user_information(maximum=maximum))
                data, fragments = peer.send(echo_rq(3)).finish(), b""
            while data:
                length = struct.unpack(">I", data[2:6])[0]
                self.assertLessEqual(length, maximum)
                fragments += data[12:6 + length]
                data = data[6 + length:]
            self.assertEqual(fragments, echo_rsp(3)[12:])

    def test_a_maximum_of_ours_is_enforced_on_the_header(self):
        for maximum, length, due in ((128, 128, b""), (128, 129, INVALID), (0, 1048576, b""), (0, 1048577, USER_ABORT)):
            server = serve(self, maximum_length=maximum)
            with Peer(server.address) as peer:
                peer.associate()
                self.assertEqual(peer.send(b"\x04\0" + struct.pack(">I", length)).finish(), due, (maximum, length))


class WithoutCallback(Table):
    """The same where no callback is told of anything; what the log is told."""

    def setUp(self):
        self.notices = []
        self.log = LogCapture(self, self.dul.WARNING)
        self.server = serve(self)
        self.server.log.limit.permits = lambda address: True

    def sentences(self):
        wait_until(lambda: not self.server.admission.connections, "it is over")
        lines, self.log.records[:] = self.log.lines(), []
        self.assertTrue(all(re.match(r"W: 127\.0\.0\.1:\d+: ", line) for line in lines), lines)
        return [line.split(": ", 2)[2] for line in lines]


both_forms(Table)
both_forms(WithoutCallback)

if __name__ == "__main__":
    unittest.main()
