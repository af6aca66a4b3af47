"""What an A-ASSOCIATE-RQ is answered with, what is remembered of answers, and the work that a hostile one takes."""
import itertools
import random
import struct
import sys
import unittest
import uuid

from support import at_length, both_forms, processor_seconds, skip_with_pypy, vectors
from wire import (
    APPLICATION_CONTEXT, BIG, CT_IMAGE, IMPLICIT, LITTLE, VERIFICATION, associate_rq, context, decode_ac, item,
    user_information)

FOREIGN = b"1.2.840.10008.1.2.4.50"
# The acceptor's order, best first, of each option on a little endian host.
ORDERS = {"PREFER_LITTLE": (LITTLE, BIG, IMPLICIT), "PREFER_BIG": (BIG, LITTLE, IMPLICIT), "IMPLICIT_ONLY": (IMPLICIT,)}
MIB = 1024 * 1024
FULL = MIB - 68 - 25    # bytes of items behind the 10H in the largest A-ASSOCIATE-RQ
SECONDS = 2.0           # of processor time, for the largest A-ASSOCIATE-RQ


def identity(kind, requested, primary=b"maria", secondary=b"geheim"):
    """58H."""
    return item(0x58, struct.pack("BB", kind, requested) + struct.pack(">H", len(primary)) + primary
                + struct.pack(">H", len(secondary)) + secondary)


class Case(object):
    """What the cases share."""

    def decide(self, data, **settings):
        return self.dul.Negotiator(self.dul.Settings(**settings)).decide(data)

    def answer(self, data, **settings):
        """The A-ASSOCIATE-AC, read independently."""
        return decode_ac(self.decide(data, **settings).ac)

    def results(self, data, **settings):
        return self.answer(data, **settings)["contexts"]


class Negotiation(Case):
    """Negotiator.decide() and the A-ASSOCIATE-AC."""

    def test_each_option_takes_its_first_syntax_of_every_subset_in_every_order(self):
        orders = dict((getattr(self.dul, name), order) for name, order in ORDERS.items())
        local = self.dul.PREFER_LOCAL
        self.assertEqual(local, ORDERS["PREFER_LITTLE" if sys.byteorder == "little" else "PREFER_BIG"])
        seen = 0
        for option, order in list(orders.items()) + [(local, local)]:
            for size in range(1, 5):
                for proposed in itertools.permutations((IMPLICIT, LITTLE, BIG, FOREIGN), size):
                    due = [syntax for syntax in order if syntax in proposed]
                    result, = self.results(associate_rq([context(1, VERIFICATION, proposed)]), transfer_syntaxes=option)
                    self.assertEqual(result[:2], (1, 0 if due else 4), (option, proposed))
                    self.assertEqual(result[2], due[0] if due else IMPLICIT, (option, proposed))
                    seen += 1
        self.assertEqual(seen, 4 * 64)

    def test_every_context_is_answered_once_by_its_own_id_and_result(self):
        contexts = [context(number, VERIFICATION if number % 4 == 1 else CT_IMAGE, (IMPLICIT,) if number % 8 == 1
                            else (FOREIGN,)) for number in range(1, 256, 2)]
        due = [(number, 3 if number % 4 != 1 else 0 if number % 8 == 1 else 4, IMPLICIT) for number in range(1, 256, 2)]
        decision = self.decide(associate_rq(contexts))
        self.assertEqual(decode_ac(decision.ac)["contexts"], due)
        self.assertEqual(list(decision.contexts), [number for number, result, _ in due if result == 0])

    def test_the_answer_to_the_golden_request_differs_from_the_golden_answer_in_52h_and_55h_alone(self):
        golden = vectors()
        for request, answer in (("a_associate_rq", "a_associate_ac"), ("a_associate_rq_four_contexts",
                                "a_associate_ac_four_contexts"), ("a_associate_rq_reserved_nonzero",
                                "a_associate_ac_reserved_echoed")):
            ours, due = self.answer(golden[request]["data"]), decode_ac(golden[answer]["data"])
            for part in ("version", "echoed", "application"):
                self.assertEqual(ours[part], due[part], (request, part))
            self.assertEqual([each if each[1] == 0 else each[:2] for each in ours["contexts"]],
                             [each if each[1] == 0 else each[:2] for each in due["contexts"]], request)
            self.assertEqual([kind for kind, _ in ours["user"]], [0x51, 0x52, 0x55])
            self.assertEqual(ours["user"][0], due["user"][0])

    def test_bytes_11_to_74_are_those_of_the_request(self):
        for data in (vectors()["a_associate_rq_reserved_nonzero"]["data"], associate_rq(
                called=b"\0\xff" * 8, calling=b"x" * 16, reserved=bytes(bytearray(range(32))), version=3)):
            self.assertEqual(self.answer(data)["echoed"], data[10:74])
            self.assertEqual(self.answer(data)["version"], 1)

    def test_the_answer_has_51h_52h_and_55h_of_ours(self):
        for maximum in (0, 128, 4096, 0xFFFFFFFF):
            user = self.answer(associate_rq(), maximum_length=maximum)["user"]
            self.assertEqual([kind for kind, _ in user], [0x51, 0x52, 0x55])
            self.assertEqual(user[0][1], struct.pack(">I", maximum))
        uid, name = user[1][1], user[2][1]
        self.assertTrue(uid.startswith(b"2.25.") and len(uid) <= 64 and uid[5:].isdigit())
        self.assertEqual(uuid.UUID(int=int(uid[5:])), uuid.UUID("3a84e774-8224-4114-89b9-106dbf45d262"))
        self.assertTrue(1 <= len(name) <= 16)
        self.assertEqual(name, b"ECHOSCP_" + self.dul.VERSION.encode("ascii"))

    def test_59h_is_returned_for_types_1_and_2_where_a_response_was_asked_for_and_only_there(self):
        for kind in range(7):
            for requested in (0, 1, 2, 255):
                data = associate_rq(user=user_information(identity(kind, requested)))
                due = [(0x59, b"\0\0")] if kind in (1, 2) and requested == 1 else []
                decision = self.decide(data)
                self.assertEqual(decode_ac(decision.ac)["user"][3:], due, (kind, requested))
                self.assertEqual(bool(decision.identity_confirmed), bool(due))
        self.assertEqual(len(self.answer(associate_rq())["user"]), 3)

    def test_the_first_of_several_51h_and_58h_counts(self):
        decision = self.decide(associate_rq(user=user_information(item(0x51, b"\0\0\0\x10"), identity(1, 0),
                                                                  identity(1, 1),
                                                                  maximum=64)))
        self.assertEqual((decision.maximum_length, decision.identity_confirmed), (64, False))

    def test_roles_async_and_extended_negotiation_are_not_returned(self):
        user = self.answer(vectors()["a_associate_rq_all_subitems"]["data"])["user"]
        self.assertEqual([kind for kind, _ in user], [0x51, 0x52, 0x55, 0x59])

    def test_the_peers_maximum_length_is_kept(self):
        for maximum, due in ((0, 0), (1, 1), (8, 8), (0xFFFFFFFF, 0xFFFFFFFF), (None, 0)):
            self.assertEqual(self.decide(associate_rq(user=user_information(maximum=maximum))).maximum_length, due)
        self.assertEqual(self.decide(associate_rq(user=b"")).maximum_length, 0)

    def test_another_application_context_is_rejected_by_the_user(self):
        for name, words in ((b"1.2.3", "1.2.3"), (b"", "(0 bytes, not a UID)"), (None, "(none)"),
                            (APPLICATION_CONTEXT + b".1", "1.2.840.10008.3.1.1.1.1"),
                            (VERIFICATION, "Verification SOP Class"),
                            (b"geheim", "(6 bytes, not a UID)")):
            error = self.decide(associate_rq(application=name)).rejected
            self.assertEqual((error.reject, error.by_user), ((1, 1, 2), True))
            self.assertEqual(str(error),
                             "Application-context-name %s, due: 1.2.840.10008.3.1.1.1 (result 1: rejected-permanent, "
                             "source 1: DICOM UL service-user, reason 2: "
                             "application-context-name-not-supported)" % words)
        for name in (APPLICATION_CONTEXT, APPLICATION_CONTEXT + b"\0", b" " + APPLICATION_CONTEXT + b" \0"):
            self.assertIsNone(self.decide(associate_rq(application=name)).rejected)

    def test_only_bit_0_of_the_protocol_version_counts(self):
        for version in (1, 3, 0x0101, 0xFFFF):
            self.assertIsNone(self.decide(associate_rq(version=version)).rejected)
        for version in (0, 2, 0x0100, 0xFFFE):
            for application in (APPLICATION_CONTEXT, b"1.2.3"):     # the provider is asked before the user
                error = self.decide(associate_rq(version=version, application=application)).rejected
                self.assertEqual((error.reject, error.by_user), ((1, 2, 2), False))
                self.assertEqual(str(error), "Protocol-version %04XH, due: bit 0 set (result 1: rejected-permanent, "
                                             "source 2: DICOM UL service-provider (ACSE related function), reason 2: "
                                             "protocol-version-not-supported)" % version)

    def test_uids_of_any_length_are_judged_without_harm(self):
        for uid, result in ((b"", 3), (b"1" * 64, 3), (b"1" * 65, 3), (VERIFICATION + b"\0", 0),
                            (VERIFICATION + b"  ", 0),
                            (b"\0" + VERIFICATION, 0), (VERIFICATION + b".1", 3), (VERIFICATION[:-1], 3),
                            (b"\xff" * 60000, 3)):
            self.assertEqual(self.results(associate_rq([context(1, uid)]))[0][1], result, uid[:70])

    def test_what_is_missing_is_forgiven(self):
        for user in (b"", item(0x50, b""), user_information() * 2, item(0x50, item(0x52, b""))):
            self.assertEqual(list(self.decide(associate_rq(user=user)).contexts), [1])

    def test_duplicate_and_even_ids_are_answered_each_on_its_own(self):
        decision = self.decide(associate_rq([context(2), context(2, CT_IMAGE), context(0), context(2)]))
        self.assertEqual([each[:2] for each in decode_ac(decision.ac)["contexts"]], [(2, 0), (2, 3), (0, 0), (2, 0)])
        self.assertEqual(list(decision.contexts), [0, 2])

    def test_titles_are_told_calling_first_unpadded_and_escaped(self):
        table = [((b"CALLED", b"CALLING"), ("CALLING", "CALLED")), ((b" C D ", b"\0X\0 "), ("X", "C D")),
                 ((b" " * 16, b"\0" * 16), ("", "")), ((b"\x1b[2J", b"\xff\\"), ("\\xff\\\\", "\\x1b[2J")),
                 ((b"A" * 16, b"B" * 16), ("B" * 16, "A" * 16))]
        for (called, calling), due in table:
            self.assertEqual(self.decide(associate_rq(called=called, calling=calling)).titles, due)


class Problems(Case):
    """Why no context can be used."""

    def problem(self, *contexts):
        decision = self.decide(associate_rq(list(contexts)))
        self.assertEqual(list(decision.contexts), [])
        return decision.problem()

    def others(self, *numbers):
        return [context(1, ("1.2.3.%d" % number).encode("ascii")) for number in numbers]

    def test_another_service(self):
        self.assertEqual(self.problem(context(1, CT_IMAGE)),
                         "proposed 1 context, no Verification: CT Image Storage: this is an echo server")
        self.assertEqual(self.problem(context(1, b"")),
                         "proposed 1 context, no Verification: (0 bytes, not a UID): this is an echo server")

    def test_each_service_is_named_once_four_at_most_and_the_others_counted(self):
        table = [((1, 2, 3, 4), "4 contexts", "1.2.3.1, 1.2.3.2, 1.2.3.3, 1.2.3.4"),
                 ((1, 2, 3, 4, 5), "5 contexts", "1.2.3.1, 1.2.3.2, 1.2.3.3, 1.2.3.4, and 1 more contexts"),
                 ((4, 4, 4, 4, 4), "5 contexts", "1.2.3.4"),
                 ((4, 4, 3, 2, 1, 9, 4, 9, 8), "9 contexts", "1.2.3.4, 1.2.3.3, 1.2.3.2, 1.2.3.1, and 3 more contexts"),
                 (range(128), "128 contexts", "1.2.3.0, 1.2.3.1, 1.2.3.2, 1.2.3.3, and 124 more contexts")]
        for numbers, count, names in table:
            self.assertEqual(self.problem(*self.others(*numbers)),
                             "proposed %s, no Verification: %s: this is an echo server" % (count, names))

    def test_no_transfer_syntax_in_common(self):
        self.assertEqual(self.problem(context(1, VERIFICATION, (b"1.2.840.10008.1.2.5", FOREIGN))),
                         "proposed 1 context, Verification with no transfer syntax that is taken here: JPEG Baseline "
                         "(Process 1), RLE Lossless")
        syntaxes = [("1.2.3.%d" % number).encode("ascii") for number in (5, 1, 4, 3, 2, 1)]
        self.assertEqual(self.problem(context(1, VERIFICATION, syntaxes[:3]), context(3, CT_IMAGE),
                                      context(5, VERIFICATION, syntaxes[3:])),
                         "proposed 3 contexts, Verification with no transfer syntax that is taken here: 1.2.3.1, "
                         "1.2.3.2, 1.2.3.3, 1.2.3.4, and 1 more syntaxes")

    def test_a_syntax_of_ours_that_is_switched_off_is_named(self):
        decision = self.decide(associate_rq([context(1, VERIFICATION, (LITTLE,))]),
                               transfer_syntaxes=self.dul.IMPLICIT_ONLY)
        self.assertEqual(decision.problem(),
                         "proposed 1 context, Verification with no transfer syntax that is taken here: "
                         "Little Endian Explicit VR")


class Remembered(Case):
    """The last few decisions are kept, and change nothing."""

    FIELDS = ("titles", "rejection", "answers", "identity_confirmed", "ac", "contexts", "maximum_length")

    def negotiator(self, **settings):
        return self.dul.Negotiator(self.dul.Settings(**settings))

    def remembers(self, data):
        """Whether the same bytes have the same Decision a second time."""
        negotiator = self.negotiator()
        return negotiator.decide(data) is negotiator.decide(data)

    def padded(self, length):
        """An ordinary A-ASSOCIATE-RQ of so many bytes."""
        short = len(associate_rq(user=user_information(item(0x55, b""))))
        return associate_rq(user=user_information(item(0x55, b"x" * (length - short))))

    def test_an_ordinary_request_is(self):
        for data in (associate_rq(), vectors()["a_associate_rq"]["data"], associate_rq(version=0),
                     associate_rq([context(1, CT_IMAGE)]),
                     associate_rq(user=user_information(item(0x53, b"\0\1\0\1"),
                                                        item(0x54, b"\0\3" + b"1.2" + b"\0\1")))):
            self.assertTrue(self.remembers(data))

    def test_nothing_with_a_user_identity_or_an_unknown_item_is(self):
        for data in (associate_rq(user=user_information(identity(1, 0))),
                     associate_rq(user=user_information(identity(99, 1, b"", b""))),
                     associate_rq(extra=item(0x99, b"")), associate_rq(user=user_information(item(0x99, b""))),
                     associate_rq(user=user_information() + item(0x50, identity(2, 1))),
                     associate_rq(extra=item(0x10, b"1.2")),
                     associate_rq([item(0x20, b"\1\0\0\0" + item(0x30, VERIFICATION) + item(0x40, IMPLICIT)
                                        + item(0x58, b"secret"))])):
            negotiator = self.negotiator()
            self.assertIsNot(negotiator.decide(data), negotiator.decide(data))
            self.assertEqual(len(negotiator.remembered), 0)

    def test_one_of_1024_bytes_is_and_a_longer_one_is_not(self):
        for length, due in ((1023, True), (1024, True), (1025, False), (5000, False)):
            data = self.padded(length)
            self.assertEqual(len(data), length)
            self.assertEqual(self.remembers(data), due, length)

    def test_a_broken_one_is_not(self):
        negotiator = self.negotiator()
        for _ in range(2):
            self.assertRaises(self.dul.InvalidPDU, negotiator.decide, associate_rq([]))
        self.assertEqual(len(negotiator.remembered), 0)

    def test_there_are_16_at_most(self):
        negotiator, most = self.negotiator(), 0
        requests = [associate_rq(calling=("SCU%d" % number).encode("ascii")) for number in range(100)]
        for data in requests:
            self.assertIs(negotiator.decide(data), negotiator.decide(data))
            most = max(most, len(negotiator.remembered))
        self.assertEqual(most, 16)
        negotiator = self.negotiator()
        first = [negotiator.decide(data) for data in requests[:16]]
        self.assertEqual([negotiator.decide(data) for data in requests[:16]], first)
        negotiator.decide(requests[16])
        self.assertLessEqual(len(negotiator.remembered), 16)
        self.assertIs(negotiator.decide(requests[16]), negotiator.decide(requests[16]))

    def test_two_servers_have_each_their_own(self):
        one, two = self.negotiator(maximum_length=128), self.negotiator(maximum_length=256)
        for _ in range(2):
            self.assertEqual([decode_ac(each.decide(associate_rq()).ac)["user"][0][1] for each in (one, two)],
                             [b"\0\0\0\x80", b"\0\0\1\0"])

    def test_the_remembered_answer_is_always_that_of_a_fresh_decision(self):
        chance, kept, seen = random.Random(7), self.negotiator(), 0
        seeds = [entry["data"] for _, entry in sorted(vectors().items()) if entry["data"][:1] == b"\x01"]
        seeds += [associate_rq(user=user_information(identity(2, 1))), associate_rq([context(1, CT_IMAGE), context(3)])]
        recent = list(seeds)
        for _ in range(1500):
            data = chance.choice(recent[-6:])
            if chance.random() < 0.5:
                data, at = chance.choice(seeds), chance.randrange(6, 200)
                data = data[:at] + struct.pack("B", chance.randrange(256)) + data[at + 1:]
                recent.append(data)
            outcomes = []
            for negotiator in (kept, self.negotiator()):
                try:
                    decision = negotiator.decide(data)
                    outcomes.append([getattr(decision, name) for name in self.FIELDS])
                    seen += decision.request.first(0x58) is None
                except self.dul.InvalidPDU as error:
                    outcomes.append(str(error))
            self.assertEqual(outcomes[0], outcomes[1])
        self.assertGreater(seen, 500)


def shapes():
    """{name: an A-ASSOCIATE-RQ of up to 1 MiB}."""
    two_bytes = [struct.pack(">H", number) for number in range(0x3030, 0x3030 + 9000)]
    uids = [("1.2.3.%d" % number).encode("ascii").ljust(60, b"4") for number in range(9000)]

    def fill(piece, most=10000, before=b"", after=b""):
        return before + piece * min(most, (FULL - len(before) - len(after)) // len(piece)) + after
    one = context()
    listed = b"\0\1" + b"1" + b"\0\1" + b"2"
    deep = item(0x50, item(0x52, b"") * 75)
    bodies = {
        "distinct two-byte transfer syntaxes": context(1, VERIFICATION, two_bytes),
        "distinct two-byte transfer syntaxes in 128 contexts": b"".join(
            context(1, VERIFICATION, two_bytes[start * 70:start * 70 + 70]) for start in range(128)),
        "distinct two-byte abstract syntaxes": b"".join(context(1, each, (b"1",)) for each in two_bytes[:128]),
        "distinct long UIDs": context(1, VERIFICATION, uids[:900]),
        "distinct long UIDs in 128 contexts": b"".join(context(1, VERIFICATION, uids[start * 70:start * 70 + 70])
                                                       for start in range(128)),
        "UIDs of 65000 bytes": b"".join(context(1, struct.pack("B", 65 + number) * 65000) for number in range(16)),
        "transfer syntaxes of 65000 bytes": b"".join(
            context(1, VERIFICATION, (struct.pack("B", 65 + number) * 65000,)) for number in range(16)),
        "UIDs that are all padding": b"".join(context(1, b"\0 " * 32000) for number in range(16)),
        "empty unknown items": one + fill(item(0x99, b""), 9996),
        "too many empty unknown items": one + item(0x99, b"") * ((FULL - len(one)) // 4),
        "items of 0 bytes in 50H": one + item(0x50, item(0x52, b"") * 9995),
        "too many items in 50H": one + fill(item(0x50, item(0x52, b"") * 16000), 16),
        "items in many 50H": one + fill(deep, 130),
        "asynchronous operations": one + item(0x50, item(0x53, b"\0\1\0\1") * 8000),
        "roles": one + item(0x50, b"".join(item(0x54, b"\0\2" + each + b"\0\1") for each in two_bytes[:6000])),
        "roles again and again": one + item(0x50, item(0x54, b"\0\2" + b"11" + b"\0\1") * 6000),
        "extended negotiation": one + item(0x50, b"".join(item(0x56, b"\0\2" + each) for each in two_bytes[:8000])),
        "long extended negotiation": one + fill(item(0x50, item(0x56, b"\0\1" + b"1" + b"x" * 65000)), 16),
        "57H lists of empty UIDs": one + item(0x50, item(0x57, listed + struct.pack(">H", 19980) + b"\0\0" * 9990)),
        "57H lists of one UID each": one + item(0x50, item(0x57, listed + b"\0\2\0\0") * 4600),
        "57H lists that are too long": one
        + fill(item(0x50, item(0x57, listed + struct.pack(">H", 65000) + b"\0\0" * 32500)), 16),
        "57H with a long UID": one
        + fill(item(0x50, item(0x57, b"\xfd\xe8" + b"1" * 65000 + b"\0\1" + b"2" + b"\0\0")), 16),
        "contexts that are too many": fill(one, 3300),
        "one large unknown item after the other": one + fill(item(0x99, b"x" * 65535), 15),
        "lengths that are nested to the end": one + b"".join(
            item(0x50, item(0x51, b"\0\0\0\0") * 2000 + item(0x54, struct.pack(">H", 65535))) for _ in range(60)),
        "identities": one + item(0x50, item(0x58, b"\2\1\0\0\0\0") * 6000),
        "an identity of 65000 bytes, 16 times": one + fill(item(0x50, identity(2, 1, b"u" * 32000, b"p" * 33000)), 16),
        "unknown sub-items of 20H": item(0x20, b"\1\0\0\0" + item(0x30, VERIFICATION) + item(0x40, IMPLICIT)
                                         + item(0x99, b"") * 9000),
        "implementation names of 65000 bytes": one + fill(item(0x50, item(0x55, b"n" * 65000)), 16),
    }
    return dict((name, associate_rq([], user=b"", extra=body)) for name, body in bodies.items())


def kept_bytes(value, seen=None):
    """The memory that a value and all that it refers to takes, without classes and functions."""
    seen, total, todo = set() if seen is None else seen, 0, [value]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, dict):
            todo += list(each) + list(each.values())
        elif isinstance(each, (list, tuple, set, frozenset)):
            todo += list(each)
        else:
            todo += [getattr(each, name) for name in getattr(type(each), "__slots__", ()) if hasattr(each, name)]
    return total


class Owner(object):
    """What acceptance_lines() asks of a connection."""

    def __init__(self, settings):
        self.association = self
        self.settings = settings


class Work(Case):
    """Time and memory are linear in the bytes, whatever they are."""

    def test_the_largest_requests_are_decided_and_dumped_in_two_seconds_of_processor_time(self):
        decided = 0
        for name, data in sorted(shapes().items()):
            self.assertLessEqual(len(data) - 6, MIB, name)
            start = processor_seconds()
            try:
                decision = self.decide(data)
            except self.dul.InvalidPDU as error:
                error.data = data
                self.dul.invalid_lines(error)
            else:
                decided += 1
                decision.problem()
                self.dul.LINES[self.dul.REQUESTED](None, decision)
                self.dul.LINES[self.dul.ACCEPTED](Owner(self.dul.Settings()), decision)
            self.assertLess(processor_seconds() - start, SECONDS, name)
        self.assertGreater(decided, 15)

    def test_what_is_kept_of_a_request_is_at_most_five_times_its_bytes_or_five_mib(self):
        skip_with_pypy("does not tell the size of an object")
        for name, data in sorted(shapes().items()):
            try:
                decision = self.decide(data)
            except self.dul.InvalidPDU:
                continue
            kept = kept_bytes(decision, set(id(each) for each in (self.dul.VERIFICATION, IMPLICIT)))
            self.assertLess(kept, 5 * MIB if len(data) < MIB // 2 else 5 * len(data), name)
            if len(data) > MIB // 2:
                self.assertLess(kept, 3 * len(data), name)

    def test_no_line_that_tells_of_it_is_long(self):
        for name, data in sorted(shapes().items()):
            try:
                decision = self.decide(data)
            except self.dul.InvalidPDU as error:
                self.assertLess(len(str(error)), 300, name)
            else:
                self.assertLess(len(decision.problem()), 600, name)
                lines = self.dul.LINES[self.dul.REQUESTED](None, decision)
                self.assertLess(max(len(line) for line in lines), 300, name)


for each in (Negotiation, Problems, Remembered):
    both_forms(each)
at_length(Work)

if __name__ == "__main__":
    unittest.main()
