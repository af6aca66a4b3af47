"""What an A-ASSOCIATE-RQ is answered with."""
import itertools
import unittest

from support import both_forms, vectors
from wire import (
    BIG, CT_IMAGE, IMPLICIT, LITTLE, VERIFICATION, associate_rq, context, item, user_information)

FOREIGN = b"1.2.840.10008.1.2.4.50"
# The acceptor's order, best first, of each option on a little endian host.
ORDERS = {"PREFER_LITTLE": (LITTLE, BIG, IMPLICIT), "PREFER_BIG": (BIG, LITTLE, IMPLICIT), "IMPLICIT_ONLY": (IMPLICIT,)}


class Negotiation(object):
    """negotiate() and check_protocol_version()."""

    def answer(self, data, **settings):
        return self.dul.negotiate(self.dul.AAssociateRQ.decode(data), self.dul.Settings(**settings))

    def results(self, data, **settings):
        acceptance = self.answer(data, **settings)
        return [(each.context_id, each.result, each.transfer_syntax) for each in acceptance.ac.presentation_contexts]

    def test_each_option_takes_its_first_syntax_of_every_subset_in_every_order(self):
        import sys
        orders = dict(ORDERS, PREFER_LOCAL=ORDERS["PREFER_LITTLE" if sys.byteorder == "little" else "PREFER_BIG"])
        seen = 0
        for option, order in orders.items():
            for size in range(1, 5):
                for proposed in itertools.permutations((IMPLICIT, LITTLE, BIG, FOREIGN), size):
                    due = [syntax for syntax in order if syntax in proposed]
                    result = self.results(associate_rq([context(1, VERIFICATION, proposed)]),
                                          transfer_syntaxes=getattr(self.dul, option))
                    self.assertEqual(result[0][:2], (1, 0 if due else 4), (option, proposed))
                    if due:
                        self.assertEqual(result[0][2], due[0], (option, proposed))
                    seen += 1
        self.assertEqual(seen, 4 * 64)

    def test_every_context_is_answered_once_by_its_own_id_and_result(self):
        contexts = [context(number, VERIFICATION if number % 4 == 1 else CT_IMAGE, (IMPLICIT,) if number % 8 == 1
                            else (FOREIGN,)) for number in range(1, 256, 2)]
        due = [(number, 3 if number % 4 != 1 else 0 if number % 8 == 1 else 4) for number in range(1, 256, 2)]
        acceptance = self.answer(associate_rq(contexts))
        self.assertEqual([(each.context_id, each.result) for each in acceptance.ac.presentation_contexts], due)
        self.assertEqual(sorted(acceptance.contexts), [number for number, result in due if result == 0])
        for each in acceptance.ac.presentation_contexts:
            self.assertTrue(each.transfer_syntax)       # a 40H goes out even where it is refused

    def test_bytes_10_to_73_are_those_of_the_request(self):
        data = vectors()["a_associate_rq_reserved_nonzero"]["data"]
        self.assertEqual(self.answer(data).ac.encode()[10:74], data[10:74])

    def test_the_answer_has_51h_52h_and_55h_of_ours(self):
        ac = self.answer(associate_rq(), maximum_length=4096).ac
        self.assertEqual(ac.first(self.dul.MaximumLength).length, 4096)
        uid = ac.first(self.dul.ImplementationClassUID).uid
        self.assertTrue(uid.startswith(b"2.25.") and len(uid) <= 64 and uid[5:].isdigit())
        name = ac.first(self.dul.ImplementationVersionName).name
        self.assertTrue(1 <= len(name) <= 16 and self.dul.VERSION.encode("ascii") in name)
        self.assertEqual(ac.application_context, b"1.2.840.10008.3.1.1.1")

    def test_the_implementation_class_uid_is_that_of_its_uuid(self):
        import uuid
        number = int(self.dul.IMPLEMENTATION_CLASS[5:])
        self.assertEqual(str(uuid.UUID(int=number)), "3a84e774-8224-4114-89b9-106dbf45d262")

    def test_59h_is_returned_where_a_positive_response_was_asked_for_and_only_there(self):
        for requested, due in ((0, False), (1, True)):
            user = user_information(item(0x58, b"\2" + bytes(bytearray([requested])) + b"\0\5admin\0\4pass"))
            sub_item = self.answer(associate_rq(user=user)).ac.first(self.dul.UserIdentityAC)
            self.assertEqual(sub_item is not None, due)
            if due:
                self.assertEqual(sub_item.response, b"")
        self.assertIsNone(self.answer(associate_rq()).ac.first(self.dul.UserIdentityAC))

    def test_roles_async_and_extended_negotiation_are_not_returned(self):
        ac = self.answer(vectors()["a_associate_rq_all_subitems"]["data"]).ac
        kinds = {type(each).__name__ for each in ac.user_information}
        self.assertTrue(kinds <= {"MaximumLength", "ImplementationClassUID", "ImplementationVersionName",
                                  "UserIdentityAC"}, kinds)

    def test_the_peers_maximum_length_is_kept(self):
        for maximum, due in ((0, 0), (8, 8), (0xFFFFFFFF, 0xFFFFFFFF), (None, 0)):
            self.assertEqual(self.answer(associate_rq(user=user_information(maximum=maximum))).maximum_length, due)

    def test_another_application_context_is_rejected(self):
        for name in (b"1.2.3", b"", None):
            with self.assertRaises(self.dul.Rejected) as caught:
                self.answer(associate_rq(application=name))
            self.assertEqual(caught.exception.reject, (1, 1, 2))
            self.assertIn("application-context-name-not-supported", str(caught.exception))

    def test_only_bit_0_of_the_protocol_version_counts(self):
        for version, accepted in ((1, True), (3, True), (0xFFFF, True), (0, False), (2, False), (0xFFFE, False)):
            request = self.dul.AAssociateRQ.decode(associate_rq(version=version))
            if accepted:
                self.assertIsNone(self.dul.check_protocol_version(request))
            else:
                with self.assertRaises(self.dul.Rejected) as caught:
                    self.dul.check_protocol_version(request)
                self.assertEqual(caught.exception.reject, (1, 2, 2))

    def test_uids_of_any_length_are_judged_without_harm(self):
        for uid, result in ((b"", 3), (b"1" * 64, 3), (b"1" * 65, 3), (VERIFICATION + b"\0", 0), (VERIFICATION + b"  ", 0),
                            (b"\0" + VERIFICATION, 0), (VERIFICATION + b".1", 3), (b"\xff" * 60000, 3)):
            self.assertEqual(self.results(associate_rq([context(1, uid)]))[0][1], result, uid[:70])

    def test_what_is_missing_is_forgiven(self):
        for user in (b"", item(0x50, b""), user_information() * 2, item(0x50, item(0x52, b""))):
            self.assertEqual(len(self.answer(associate_rq(user=user)).contexts), 1)

    def test_duplicate_and_even_ids_are_answered_each_on_its_own(self):
        self.assertEqual([each[:2] for each in self.results(associate_rq([context(2), context(2, CT_IMAGE), context(0)]))],
                         [(2, 0), (2, 3), (0, 0)])


both_forms(Negotiation)

if __name__ == "__main__":
    unittest.main()
