"""The PDU reader, over a scripted stream."""
import struct
import unittest

from support import both_forms, vectors
from wire import RELEASE_RQ, associate_rq, echo_rq, pdu


class Script(object):
    """A stream: gives out its pieces, never more than it is asked for, and remembers how much that was."""

    def __init__(self, *pieces):
        self.pieces = [piece for piece in pieces if piece]
        self.asked = []

    def __call__(self, most):
        self.asked.append(most)
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > most:
            self.pieces.insert(0, piece[most:])
        return piece[:most]


class Reader(object):
    """PDUReader."""

    def read_all(self, *pieces):
        reader, found = self.dul.PDUReader(Script(*pieces)), []
        try:
            while True:
                reader.header()
                found.append(reader.pdu())
        except self.dul.ConnectionLost:
            return found

    def test_any_cut_gives_the_same_pdus(self):
        pdus = [associate_rq(), echo_rq(), echo_rq(2), RELEASE_RQ]
        stream = b"".join(pdus)
        self.assertEqual(self.read_all(stream), pdus)
        self.assertEqual(self.read_all(*[stream[i:i + 1] for i in range(len(stream))]), pdus)
        for cut in range(len(stream)):
            self.assertEqual(self.read_all(stream[:cut], stream[cut:]), pdus)
        for size in (2, 3, 5, 6, 7, 79, 80, 81, 448):
            self.assertEqual(self.read_all(*[stream[i:i + size] for i in range(0, len(stream), size)]), pdus)

    def test_every_vector_arrives_byte_by_byte(self):
        for name, entry in vectors().items():
            data = entry["data"]
            self.assertEqual(b"".join(self.read_all(*[data[i:i + 1] for i in range(len(data))])), data, name)

    def test_what_is_not_taken_is_thrown_away(self):
        long_pdu = pdu(4, b"x" * 100000)
        for pieces in ([long_pdu + RELEASE_RQ], [long_pdu[:50], long_pdu[50:] + RELEASE_RQ], [long_pdu, RELEASE_RQ]):
            reader = self.dul.PDUReader(Script(*pieces))
            self.assertEqual(reader.header(), (4, 100000))
            self.assertEqual(reader.header(), (5, 4))
            self.assertEqual(reader.pdu(), RELEASE_RQ)
            self.assertTrue(reader.between)

    def test_nothing_is_asked_for_that_was_only_announced(self):
        script = Script(struct.pack(">BxI", 1, 0xFFFFFFFF) + b"x" * 10, b"y" * 100)
        reader = self.dul.PDUReader(script)
        self.assertEqual(reader.header(), (1, 0xFFFFFFFF))
        self.assertRaises(self.dul.ConnectionLost, reader.pdu)
        self.assertLessEqual(max(script.asked), 16384)
        self.assertEqual(reader.progress(), "116 of 4294967301 bytes of A-ASSOCIATE-RQ")

    def test_progress_tells_how_far_the_pdu_came(self):
        table = [((), ""), ((b"\1\0\0",), "3 of the 6 bytes of a PDU header"),
                 ((associate_rq()[:22],), "22 of 172 bytes of A-ASSOCIATE-RQ"),
                 ((b"\x99\0\0\0\0\5ab",), "8 of 11 bytes of PDU 99H")]
        for pieces, due in table:
            reader = self.dul.PDUReader(Script(*pieces))
            with self.assertRaises(self.dul.ConnectionLost):
                reader.header()
                reader.pdu()
            self.assertEqual(reader.progress(), due)

    def test_a_lost_stream_is_thrown_away_to_its_end(self):
        reader = self.dul.PDUReader(Script(b"\0" * 5000, RELEASE_RQ))
        reader.header()
        reader.lost = True
        self.assertRaises(self.dul.ConnectionLost, reader.header)


both_forms(Reader)

if __name__ == "__main__":
    unittest.main()
