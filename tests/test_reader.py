"""The PDU reader, over a scripted stream."""
import struct
import unittest

from support import both_forms, vectors
from wire import ABORT, RELEASE_RQ, abort, associate_rq, echo_rq, pdu


class Script(object):
    """A stream: gives out its pieces, never more than it is asked for, and remembers what it was asked for. Its end is
    an EOFError.

    ``asked`` has the numbers of bytes, and ``acknowledge`` for each call of acknowledge().
    """

    def __init__(self, *pieces):
        self.pieces = [piece for piece in pieces if piece]
        self.asked = []

    def receive(self, most):
        self.asked.append(most)
        if not self.pieces:
            raise EOFError()
        piece = self.pieces.pop(0)
        if len(piece) > most:
            self.pieces.insert(0, piece[most:])
        return piece[:most]

    def acknowledge(self):
        self.asked.append("acknowledge")


def all_cuts(stream):
    """The stream whole, byte by byte, in pieces of several sizes, and cut once at each place."""
    for size in (len(stream), 1, 2, 3, 5, 6, 7, 10, 80):
        yield [stream[i:i + size] for i in range(0, len(stream), size)]
    for cut in range(1, len(stream)):
        yield [stream[:cut], stream[cut:]]


class Reader(object):
    """PDUReader."""

    def reader(self, *pieces):
        self.script = Script(*pieces)
        return self.dul.PDUReader(self.script.receive, self.script.acknowledge)

    def read_all(self, *pieces):
        reader, found = self.reader(*pieces), []
        try:
            while True:
                reader.header()
                found.append(reader.pdu())
        except EOFError:
            return found

    def test_any_cut_gives_the_same_pdus(self):
        pdus = [associate_rq(), echo_rq(), echo_rq(2), pdu(4, b""), RELEASE_RQ]
        for pieces in all_cuts(b"".join(pdus)):
            self.assertEqual(self.read_all(*pieces), pdus)

    def test_every_vector_arrives_byte_by_byte(self):
        for name, entry in vectors().items():
            data = entry["data"]
            self.assertEqual(b"".join(self.read_all(*[data[i:i + 1] for i in range(len(data))])), data, name)

    def test_a_long_pdu_arrives_in_pieces(self):
        long_pdu = pdu(4, bytes(bytearray(range(250))) * 400)
        for pieces in ([long_pdu + RELEASE_RQ], [long_pdu[:50], long_pdu[50:] + RELEASE_RQ], [long_pdu, RELEASE_RQ]):
            self.assertEqual(self.read_all(*pieces), [long_pdu, RELEASE_RQ])

    def test_a_pdu_that_arrives_in_small_pieces_takes_no_more_memory_than_its_bytes(self):
        try:
            import tracemalloc
        except ImportError:
            raise unittest.SkipTest("there is no tracemalloc here")
        whole, rest = pdu(4, b"x" * 65536), []
        reader = self.dul.PDUReader(lambda most: rest.pop(), lambda: None)
        rest[:] = [whole[i:i + 2] for i in range(0, len(whole), 2)][::-1]
        reader.header()
        tracemalloc.start()
        try:
            self.assertEqual(reader.pdu(), whole)
            self.assertLess(tracemalloc.get_traced_memory()[1], 8 * len(whole))     # a list of the pieces: 28
        finally:
            tracemalloc.stop()

    def test_header_gives_type_and_length(self):
        reader = self.reader(pdu(9, b"abc")[:7])
        self.assertEqual(reader.header(), (9, 3))
        self.assertEqual(reader.header(), (9, 3))       # it is not taken out

    def test_the_end_of_the_stream_passes_through_at_every_byte(self):
        stream = associate_rq()
        for cut in range(len(stream)):
            reader = self.reader(stream[:cut])
            with self.assertRaises(EOFError):
                reader.header()
                reader.pdu()

    def test_exceptions_of_the_stream_pass_through(self):
        def receive(most):
            raise KeyError(most)
        self.assertRaises(KeyError, self.dul.PDUReader(receive, None).header)

    def test_nothing_is_asked_for_that_was_only_announced(self):
        reader = self.reader(struct.pack(">BxI", 1, 0xFFFFFFFF) + b"x" * 10, b"y" * 100)
        self.assertEqual(reader.header(), (1, 0xFFFFFFFF))
        self.assertRaises(EOFError, reader.pdu)
        self.assertLessEqual(max([most for most in self.script.asked if most != "acknowledge"]), 16384)
        self.assertEqual(reader.progress(), "116 of 4294967301 bytes of A-ASSOCIATE-RQ")

    def test_no_more_is_asked_for_than_the_pdu_has(self):
        data = pdu(4, b"x" * 500)
        reader = self.reader(data[:100], data[100:] + RELEASE_RQ)
        reader.header()
        reader.pdu()
        self.assertEqual(self.script.asked, [448, "acknowledge", 406])

    def test_half_a_pdu_is_acknowledged_before_the_rest_is_waited_for(self):
        rq = associate_rq()
        table = [([rq], [448]),
                 ([rq[:3], rq[3:]], [448, "acknowledge", 448]),
                 ([rq[:6], rq[6:]], [448, "acknowledge", len(rq) - 6]),
                 ([rq[:50], rq[50:100], rq[100:]], [448, "acknowledge", len(rq) - 50, "acknowledge", len(rq) - 100])]
        for pieces, asked in table:
            reader = self.reader(*pieces)
            reader.header()
            self.assertEqual(reader.pdu(), rq)
            self.assertEqual(self.script.asked, asked)

    def test_progress_tells_how_far_the_pdu_came(self):
        table = [((), ""), ((b"\1",), "1 of the 6 bytes of a PDU header"),
                 ((b"\1\0\0",), "3 of the 6 bytes of a PDU header"),
                 ((b"\1\0\0\0\0",), "5 of the 6 bytes of a PDU header"),
                 ((associate_rq()[:6],), "6 of 172 bytes of A-ASSOCIATE-RQ"),
                 ((associate_rq()[:22],), "22 of 172 bytes of A-ASSOCIATE-RQ"),
                 ((associate_rq()[:22], associate_rq()[22:171]), "171 of 172 bytes of A-ASSOCIATE-RQ"),
                 ((b"\x99\0\0\0\0\5ab",), "8 of 11 bytes of PDU 99H")]
        for pieces, due in table:
            reader = self.reader(*pieces)
            with self.assertRaises(EOFError):
                reader.header()
                reader.pdu()
            self.assertEqual(reader.progress(), due)

    def test_progress_between_pdus_is_none(self):
        reader = self.reader(RELEASE_RQ + echo_rq() + b"\x07\0")
        for due in (RELEASE_RQ, echo_rq()):
            reader.header()
            self.assertEqual(reader.pdu(), due)
        self.assertEqual(reader.progress(), "2 of the 6 bytes of a PDU header")
        reader = self.reader(RELEASE_RQ + echo_rq())
        reader.header()
        reader.pdu()
        self.assertEqual(reader.progress(), "")     # the next one is there in full
        reader = self.reader(RELEASE_RQ + echo_rq()[:6])
        reader.header()
        reader.pdu()
        self.assertEqual(reader.progress(), "")     # its header is

    def test_progress_in_a_pdu_that_is_thrown_away(self):
        for how in (self.dul.SKIP, self.dul.SEEK, self.dul.DISCARD):
            reader = self.reader(pdu(4, b"x" * 30000)[:20000])
            reader.header()
            self.assertRaises(EOFError, reader.skip, how)
            due = 20000 if how is self.dul.SKIP else 20000 - 5
            self.assertEqual(reader.progress(), "%d of 30006 bytes of P-DATA-TF" % due)


class Skipping(object):
    """PDUReader.skip()."""

    def skipped(self, how, pieces):
        """What comes after a PDU was thrown away: the next PDU and what is left of the stream; None where it ends."""
        script = Script(*pieces)
        reader = self.dul.PDUReader(script.receive, script.acknowledge)
        reader.header()
        try:
            reader.skip(how)
            self.assertNotIn("of PDU", reader.progress())
            reader.header()
            return reader.pdu(), reader.buffer + b"".join(script.pieces)
        except EOFError:
            return None

    def check(self, how, stream, due):
        for pieces in all_cuts(stream):
            self.assertEqual(self.skipped(how, pieces), due, (how, pieces))

    def test_skip_throws_one_pdu_away_whatever_is_in_it_at_any_cut(self):
        for body in (b"", b"x", b"x" * 5, ABORT, b"xx" + ABORT + b"yy", b"x" * 30 + ABORT[:3]):
            self.check(self.dul.SKIP, pdu(0x99, body) + RELEASE_RQ + echo_rq(), (RELEASE_RQ, echo_rq()))
            self.check(self.dul.SKIP, pdu(0x99, body), None)

    def test_seek_throws_one_pdu_away_that_has_no_abort_at_any_cut(self):
        for body in (b"", b"x", b"x" * 5, b"x" * 6, b"\x07" * 12, ABORT[:5] + b"\5", b"x" * 20 + ABORT[:3], ABORT[:5]):
            self.check(self.dul.SEEK, pdu(0x99, body) + RELEASE_RQ + echo_rq(), (RELEASE_RQ, echo_rq()))
            self.check(self.dul.SEEK, pdu(0x99, body), None)

    def test_seek_hears_an_abort_within_the_pdu_at_any_cut(self):
        for before in (b"", b"x", b"\x07", ABORT[:5], b"x" * 17):
            for after in (b"", b"y", b"y" * 9):
                stream = pdu(0x99, before + abort(2, 1) + after) + RELEASE_RQ
                self.check(self.dul.SEEK, stream, (abort(2, 1), after + RELEASE_RQ))

    def test_seek_hears_an_abort_that_begins_in_the_last_bytes_of_the_pdu_at_any_cut(self):
        for inside in range(1, 10):
            stream = pdu(0x99, b"xyz" + ABORT[:inside]) + ABORT[inside:] + RELEASE_RQ
            self.check(self.dul.SEEK, stream, (ABORT, RELEASE_RQ))

    def test_behind_a_pdu_that_is_there_in_full_nothing_more_is_waited_for(self):
        for how, data in ((self.dul.SKIP, b""), (self.dul.SEEK, b""), (self.dul.SKIP, b"xyz")):
            script = Script(pdu(0x99, data), RELEASE_RQ)
            reader = self.dul.PDUReader(script.receive, script.acknowledge)
            reader.header()
            reader.skip(how)
            self.assertEqual((script.asked, reader.progress()), ([448], ""))

    def test_seek_takes_the_first_abort_of_several(self):
        self.check(self.dul.SEEK, pdu(0x99, b"x" + abort(0, 1) + abort(0, 2)), (abort(0, 1), abort(0, 2)))

    def test_an_abort_right_behind_the_pdu_is_the_next_pdu(self):
        for how in (self.dul.SKIP, self.dul.SEEK, self.dul.DISCARD):
            self.check(how, pdu(0x99, b"xyz") + abort(0, 9) + b"more", (abort(0, 9), b"more"))
            self.check(how, pdu(0x99, b"") + abort(0, 9) + b"more", (abort(0, 9), b"more"))

    def test_discard_hears_nothing_but_an_abort_to_the_end_of_the_stream_at_any_cut(self):
        garbage = b"xyz" + RELEASE_RQ + echo_rq() + b"\x07" * 7
        for length in (0, 3, 10, 200, 0xFFFFFFFF):
            head = struct.pack(">BxI", 0x99, length)
            self.check(self.dul.DISCARD, head + garbage, None)
            self.check(self.dul.DISCARD, head + garbage + ABORT + RELEASE_RQ, (ABORT, RELEASE_RQ))

    def test_what_is_thrown_away_is_read_in_bounded_pieces(self):
        for how in (self.dul.SKIP, self.dul.SEEK, self.dul.DISCARD):
            script = Script(struct.pack(">BxI", 0x99, 10000000), *[b"x" * 20000] * 5)
            reader = self.dul.PDUReader(script.receive, None)
            reader.header()
            self.assertRaises(EOFError, reader.skip, how)
            self.assertLessEqual(max(script.asked), 16384)
            self.assertEqual(reader.buffer, b"")


both_forms(Reader)
both_forms(Skipping)

if __name__ == "__main__":
    unittest.main()
