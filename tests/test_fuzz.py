"""A short run of the fuzzer, every find that it made, and properties where hypothesis is installed."""
import random
import struct
import unittest

from driver import every
from fuzz import (
    LEAK, PASSCODE, USER, conversation, converse, corpus, damage, decode, fuzz_decoders, fuzz_paths, fuzz_secrets,
    fuzz_sockets,
    judge, lines_of, mutate, secret_requests)
from support import at_length, both_forms, skip_loudly
from wire import RELEASE_RQ, associate_rq, echo_rq, item, p_data, pdu, pdv, split

# What was found once, by this fuzzer or another, and must stay mended.
FINDS = [
    b"\x16\x03\x01",                                    # a TLS record shorter than its own header
    b"\x16\x03\x01\x00\x59\x01\x00\x00\x55\x03",        # a ClientHello cut in the middle of its version
    # a ClientHello that goes on as an A-ASSOCIATE-RQ: its identity stood where the server name is due
    b"\x16\x03\x01\x02\0\1\1\0\0\0\0\xa7\0\1\0\0ECHOSCP         TESTER          " + b"\0" * 32
    + b"\x10\0\0\x15" + b"1.2.840.10008.3.1.1.1" + b"P\0\0\x14X\0\0m\xbb\0\0\n" + PASSCODE + b"\0\0 \0\0.\1\0\0\0"
    + b"0\0\0\x111.2.840.10008.1.1@\0\0\x111.2.840.10008.1.2",
    # bytes are missing, so that an identity stands where the titles are due
    b"\1\0\0\0\0\x80" + b"4U\0\0\0\x88AME_1" + (b"X\0\0\x10\3\0\0\n" + PASSCODE + b".2.3.4U\0\0\6NAME_1") * 3
    + b"X\0\0\x10\3\0\0\n"
    + PASSCODE + b"\0\0T\0\0\x031.2\0\1",
    # a P-DATA-TF whose fault is beyond the bytes that are looked at for the dump
    p_data(*[pdv(b"", 1, 1)] * 200)[:-6] + b"\0\0\0\1\1\3",
]


class Fuzz(object):
    """Seeded."""

    def test_nothing_but_the_documented_exceptions_comes_out_of_the_decoders(self):
        outcomes = fuzz_decoders(self.dul, 3000, 20)
        self.assertTrue(set(outcomes) >= {"invalid", "message", "accepted", "rejected", "other", "short"}, outcomes)

    def test_every_answer_on_a_socket_is_one_that_the_protocol_has(self):
        outcomes = fuzz_sockets(self.dul, 300, 20)
        self.assertTrue(set(outcomes) >= {b"\x02", b"\x07"}, outcomes)

    def test_no_cache_and_no_trace_decides_differently(self):
        outcomes = fuzz_paths(self.dul, 1000, 20)
        self.assertTrue(set(outcomes) >= {b"\x02", b"\x07"}, outcomes)

    def test_no_line_shows_a_user_identity_whatever_is_damaged_around_it(self):
        outcomes = fuzz_secrets(self.dul, 2000, 20)
        self.assertTrue(all(outcomes.get(each, 0) > 300 for each in ("invalid", "other")), outcomes)

    def test_what_was_found_once_stays_mended(self):
        for data in FINDS:
            decode(self.dul, data)
            for pieces in ([data], [associate_rq(), data]):
                self.assertEqual([line for line in lines_of(self.dul, pieces) if LEAK.search(line)], [])

    def test_each_byte_of_a_request_with_an_identity_may_be_damaged(self):
        data = next(secret_requests())
        at = data.find(USER) - 12
        for offset in range(at, at + 12):
            for code in range(256):
                mutated = data[:offset] + struct.pack("B", code) + data[offset + 1:]
                found = [line for line in lines_of(self.dul, [mutated]) if LEAK.search(line)]
                self.assertEqual(found, [], (offset, code))

    def test_a_conversation_cut_into_any_pieces_gives_the_same_answers(self):
        stream = associate_rq() + echo_rq(1) + echo_rq(2) + RELEASE_RQ
        due = converse(self.dul, [stream])
        self.assertEqual(len(split(due[0])), 4)
        for cut in range(len(stream)):
            self.assertEqual(converse(self.dul, [stream[:cut], stream[cut:]]), due)
        for size in (1, 2, 3, 5, 79):
            self.assertEqual(converse(self.dul, every(stream, size)), due)

    def test_it_is_reproducible_and_can_tell(self):
        one, two = random.Random(5), random.Random(5)
        seeds = corpus()
        self.assertEqual([conversation(one, seeds) for _ in range(50)], [conversation(two, seeds) for _ in range(50)])
        self.assertNotEqual(mutate(seeds[0], one), seeds[0])
        self.assertNotEqual([damage(seeds[0], one) for _ in range(9)], [seeds[0]] * 9)
        for wrong in (b"\x02", b"\x05\0\0\0\0\4\0\0\0\0", b"\7\0\0\0\0\4\0\0\0\0" + b"\6\0\0\0\0\4\0\0\0\0",
                      b"\x09\0\0\0\0\0"):
            self.assertFalse(judge(wrong))
        for line in ("x Zq7#kW y", "5a 71 37 23 6b 57", "5a713723 6b57", "7137236B5739", "maria.", "a.hube",
                     "61 2e 68 75 62 65"):
            self.assertTrue(LEAK.search(line), line)
        for line in ("Zq7#k", "5a 71 37 23 6b", "maria", "11 bytes"):
            self.assertFalse(LEAK.search(line), line)
        self.assertTrue(all(USER in data or PASSCODE in data for data in secret_requests()))
        lines = lines_of(self.dul, [associate_rq(calling=USER), echo_rq(1)])
        self.assertTrue([line for line in lines if LEAK.search(line)])      # titles are shown: it sees what is there
        self.assertTrue([line for line in lines if "C-ECHO-RQ" in line])


class Properties(object):
    """With hypothesis."""

    def setUp(self):
        try:
            import hypothesis
        except ImportError:
            skip_loudly("hypothesis is not installed: no properties are tried")
        self.hypothesis = hypothesis

    def check(self, strategy, function):
        self.hypothesis.settings(max_examples=150, deadline=None, database=None)(
            self.hypothesis.given(strategy)(function))()

    def test_what_a_request_is_made_of_is_what_is_decoded(self):
        some, dul = self.hypothesis.strategies, self.dul
        uid = some.text("0123456789.", min_size=1, max_size=64).map(lambda text: text.encode("ascii"))
        contexts = some.lists(some.tuples(some.integers(0, 255), uid, some.lists(uid, min_size=1, max_size=4)),
                              min_size=1, max_size=20)

        def counted(data):
            return struct.pack(">H", len(data)) + data
        number = some.integers(0, 255)
        subs = some.lists(some.one_of(
            some.integers(0, 2 ** 32 - 1).map(lambda n: (0x51, struct.pack(">I", n), [n])),
            uid.map(lambda data: (0x52, data, [data])),
            some.tuples(some.integers(0, 65535),
                        some.integers(0, 65535)).map(lambda n: (0x53, struct.pack(">HH", *n), list(n))),
            some.tuples(uid, number, number).map(lambda n: (0x54, counted(n[0]) + struct.pack("BB", *n[1:]), list(n))),
            some.tuples(uid, some.binary(max_size=50)).map(lambda n: (0x56, counted(n[0]) + n[1], [n[0], len(n[1])])),
            some.tuples(number, number, some.binary(max_size=50), some.binary(max_size=50)).map(
                lambda n: (0x58, struct.pack("BB", *n[:2]) + counted(n[2]) + counted(n[3]),
                           [n[0], n[1], len(n[2]), len(n[3])]))), max_size=8)
        title = some.binary(min_size=16, max_size=16)

        def same(made):
            version, called, calling, reserved, proposed, users = made
            data = pdu(1, struct.pack(">HH", version, 0) + called + calling + reserved + item(0x10, b"1.2") + b"".join(
                item(0x20, struct.pack(">B3x", number) + item(0x30, abstract)
                     + b"".join(item(0x40, each) for each in transfers))
                for number, abstract, transfers in proposed)
                + item(0x50, b"".join(item(kind, body) for kind, body, _ in users)))
            rq = dul.AAssociateRQ(data)
            self.assertEqual((rq.protocol_version, rq.called, rq.calling, rq.echoed),
                             (version, called, calling, data[10:74]))
            self.assertEqual([tuple(each) for each in rq.contexts], proposed)
            self.assertEqual([(each.item_type, list(each.values)) for each in rq.user_information],
                             [(kind, values) for kind, _, values in users])
        self.check(some.tuples(some.integers(0, 65535), title, title, some.binary(min_size=32, max_size=32), contexts,
                               subs), same)

        def same_data(pdvs):
            decoded = dul.decode_p_data(
                p_data(*[pdv(fragment, context_id, control) for context_id, control, fragment in pdvs]))
            self.assertEqual([tuple(each) for each in decoded], pdvs)
        self.check(some.lists(some.tuples(number, number, some.binary(max_size=99)), min_size=1, max_size=9), same_data)

    def test_decoders_never_read_past_their_input_and_never_raise_anything_else(self):
        some = self.hypothesis.strategies
        self.check(some.binary(max_size=400), lambda data: decode(self.dul, data) and None)


at_length(Fuzz)
both_forms(Properties)

if __name__ == "__main__":
    unittest.main()
