"""A short run of the fuzzer, every find that it made, and properties where hypothesis is installed."""
import unittest

from fuzz import conversation, corpus, decode, fuzz_decoders, fuzz_paths, fuzz_sockets, judge, mutate
from support import both_forms, serve, skip_loudly
from wire import RELEASE_RQ, Peer, associate_rq, echo_rq

# What was found once, by this fuzzer or another, and must stay mended.
FINDS = [
    b"\x16\x03\x01",                                    # a TLS record shorter than its own header
    b"\x16\x03\x01\x00\x59\x01\x00\x00\x55\x03",        # a ClientHello cut in the middle of its version
]


class Fuzz(object):
    """Seeded."""

    def test_nothing_but_the_documented_exceptions_comes_out_of_the_decoders(self):
        outcomes = fuzz_decoders(self.dul, 3000, 20)
        self.assertTrue(set(outcomes) >= {"invalid", "message", "accepted", "rejected", "other"}, outcomes)

    def test_every_answer_on_a_socket_is_one_that_the_protocol_has(self):
        outcomes = fuzz_sockets(self.dul, 300, 20)
        self.assertTrue(set(outcomes) >= {b"\x02", b"\x07"}, outcomes)

    def test_no_short_cut_decides_differently(self):
        outcomes = fuzz_paths(self.dul, 1000, 20)
        self.assertTrue(set(outcomes) >= {b"\x02", b"\x07"}, outcomes)

    def test_what_was_found_once_stays_mended(self):
        for data in FINDS:
            decode(self.dul, data)

    def test_a_conversation_cut_into_any_pieces_gives_the_same_answers(self):
        server = serve(self)
        stream = associate_rq() + echo_rq(1) + echo_rq(2) + RELEASE_RQ
        answers = set()
        for cut in range(0, len(stream), 7):
            with Peer(server.address) as peer:
                peer.send(stream[:cut]).send(stream[cut:])
                answers.add(peer.finish())
        self.assertEqual(len(answers), 1)

    def test_it_is_reproducible_and_can_tell(self):
        import random
        one, two = random.Random(5), random.Random(5)
        seeds = corpus()
        self.assertEqual([conversation(one, seeds) for _ in range(50)], [conversation(two, seeds) for _ in range(50)])
        self.assertNotEqual(mutate(seeds[0], one), seeds[0])
        for wrong in (b"\x02", b"\x05\0\0\0\0\4\0\0\0\0", b"\7\0\0\0\0\4\0\0\0\0" + b"\6\0\0\0\0\4\0\0\0\0", b"\x09\0\0\0\0\0"):
            self.assertFalse(judge(wrong))


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

    def test_encode_and_decode_are_inverse(self):
        some, dul = self.hypothesis.strategies, self.dul
        uid = some.text("0123456789.", min_size=1, max_size=64).map(lambda text: text.encode("ascii"))
        contexts = some.lists(some.builds(dul.PresentationContextRQ, some.integers(0, 255), uid,
                                          some.lists(uid, min_size=1, max_size=4)), max_size=20)
        subs = some.lists(some.one_of(
            some.builds(dul.MaximumLength, some.integers(0, 2 ** 32 - 1)), some.builds(dul.ImplementationClassUID, uid),
            some.builds(dul.AsynchronousOperationsWindow, some.integers(0, 65535), some.integers(0, 65535)),
            some.builds(dul.RoleSelection, uid, some.integers(0, 255), some.integers(0, 255)),
            some.builds(dul.ExtendedNegotiation, uid, some.binary(max_size=50)),
            some.builds(dul.UserIdentityRQ, some.integers(0, 255), some.integers(0, 255), some.binary(max_size=50),
                        some.binary(max_size=50))), max_size=8)
        title = some.binary(min_size=16, max_size=16)

        def inverse(request):
            self.assertEqual(dul.AAssociateRQ.decode(request.encode()), request)
        self.check(some.builds(lambda version, called, calling, reserved, items, users: dul.AAssociateRQ(
            version, called, calling, reserved, [dul.ApplicationContext(b"1.2")] + items + [dul.UserInformation(users)]),
            some.integers(0, 65535), title, title, some.binary(min_size=32, max_size=32), contexts, subs), inverse)

        def data_inverse(pdvs):
            pdu = dul.PDataTF(pdvs)
            self.assertEqual(dul.PDataTF.decode(pdu.encode()), pdu)
        self.check(some.lists(some.builds(dul.PDV, some.integers(0, 255), some.integers(0, 255), some.binary(max_size=99)),
                              min_size=1, max_size=9), data_inverse)

    def test_decoders_never_read_past_their_input_and_never_raise_anything_else(self):
        some = self.hypothesis.strategies
        self.check(some.binary(max_size=400), lambda data: decode(self.dul, data) and None)


both_forms(Fuzz)
both_forms(Properties)

if __name__ == "__main__":
    unittest.main()
