"""The tables of test_association over real sockets: what arrives, in which state, what goes back, what is told."""
import re
import struct
import unittest

from support import LogCapture, both_forms, serve, wait_until
from test_association import (
    ACCEPTED, ALL_PDUS, INVALID, REFUSED, STA2, STA6, STA13, STA13_WAYS, UNRECOGNIZED, USER_ABORT)
from wire import CT_IMAGE, Peer, context, echo_rq, echo_rsp, pdu, user_information

# What the log says of a protocol that is not DICOM, in place of the words of the PDU that it is not
FOREIGN = {"HTTP": "HTTP request (GET / HTTP/1.1)", "TLS": "TLS ClientHello", "SSH": "SSH (SSH-2.0-OpenSSH_9.2)",
           "HL7": "HL7 version 2"}


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
            self.check(name, got, due, FOREIGN.get(name, words))

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
