"""PDUs: the golden ones, the header's limits, each length that lies, and the bytes of what is sent."""
import struct
import unittest

from driver import judge_header
from support import both_forms, vectors
from wire import (
    APPLICATION_CONTEXT, CT_IMAGE, IMPLICIT, VERIFICATION, abort, associate_rq, context, decode_ac, echo_rq, item,
    items_of, p_data, pdu, pdv, reject, split, user_information)

# PDU-type, name, section, least and most PDU-length; None: no most
HEADERS = [(1, "A-ASSOCIATE-RQ", "9.3.2", 68, 1048576), (2, "A-ASSOCIATE-AC", "9.3.3", 68, 1048576),
           (3, "A-ASSOCIATE-RJ", "9.3.4", 4, 4), (4, "P-DATA-TF", "9.3.5", 6, None), (5, "A-RELEASE-RQ", "9.3.6", 4, 4),
           (6, "A-RELEASE-RP", "9.3.7", 4, 4), (7, "A-ABORT", "9.3.8", 4, 4)]
LARGEST = 0xFFFFFFFF


def bare(words):
    """A UID of a summary without its padding."""
    return words.replace("\\0", "")


def text(data):
    """As vectors.json writes bytes."""
    return data.decode("ascii").replace("\0", "\\0")


def header_of(data):
    """(PDU-type, PDU-length)."""
    return struct.unpack(">BxI", data[:6])


class Case(object):
    """What the cases share."""

    def error(self, function, *arguments):
        with self.assertRaises(self.dul.InvalidPDU) as caught:
            function(*arguments)
        self.assertIn(" at byte %d is " % caught.exception.offset, str(caught.exception))
        return caught.exception

    def judge(self, kind, length, maximum=0):
        error = judge_header(self.dul, kind, length, maximum)
        if error:
            raise error

    def decode(self, data):
        """Everything that is done with a whole PDU of a peer."""
        kind, length = header_of(data)
        self.judge(kind, length)
        return {1: self.dul.AAssociateRQ, 4: self.dul.decode_p_data, 7: self.dul.decode_abort}.get(kind, len)(data)


class Headers(Case):
    """What a PDU is judged by when no more than its header is there."""

    def refused(self, kind, length, sentence, due_abort, maximum=0):
        error = self.error(self.judge, kind, length, maximum)
        self.assertEqual((str(error), error.abort), (sentence, due_abort))

    def test_each_type_has_its_least_and_its_most(self):
        for kind, name, section, least, most in HEADERS:
            due = str(least) if least == most else "at least %d" % least
            for length in (0, least - 1):
                self.refused(kind, length,
                             "%s: PDU-length at byte 2 is %d, due: %s (PS3.8 %s)" % (name, length, due, section),
                             (2, 6))
            for length in (least, least + 1, most or LARGEST):
                if most is None or length <= most:
                    self.assertIsNone(self.judge(kind, length, 0))
            for length in [most + 1, LARGEST] if most else []:
                due = str(most) if least == most else "at most %d" % most
                self.refused(kind, length,
                             "%s: PDU-length at byte 2 is %d, due: %s (PS3.8 %s)" % (name, length, due, section),
                             (2, 6))

    def test_a_maximum_is_of_p_data_tf_alone_and_0_is_none(self):
        for maximum in (128, 129, 16384, LARGEST - 1):
            self.assertIsNone(self.judge(4, maximum, maximum))
            self.refused(4, maximum + 1, "P-DATA-TF: PDU-length at byte 2 is %d, due: at most %d (PS3.8 9.3.5)" % (
                maximum + 1, maximum), (2, 6), maximum)
        self.assertIsNone(self.judge(4, LARGEST, 0))
        self.assertIsNone(self.judge(4, LARGEST))
        for kind, _, _, _, most in HEADERS:
            if kind != 4:
                self.assertIsNone(self.judge(kind, most, 128))

    def test_every_other_type_is_unrecognized_whatever_its_length(self):
        for kind in [0] + list(range(8, 256)):
            for length in (0, 4, 68, LARGEST):
                self.refused(kind, length, "PDU: PDU-type at byte 0 is %02XH, due: 01H to 07H (PS3.8 9.3.1)" % kind,
                             (2, 1))


class Requests(Case):
    """A-ASSOCIATE-RQ."""

    # the name of each field of a sub-item in the summaries of vectors.json, in the standard's order
    FIELDS = {"51H": ("maximum_length",), "52H": ("implementation_class_uid",),
              "53H": ("max_ops_invoked", "max_ops_performed"),
              "54H": ("sop_class_uid", "scu_role", "scp_role"), "55H": ("implementation_version_name",),
              "56H": ("sop_class_uid",), "57H": ("sop_class_uid", "service_class_uid"),
              "58H": ("user_identity_type", "positive_response_requested", "primary_field", "secondary_field")}

    def test_each_golden_request_decodes_to_what_its_summary_says(self):
        seen = 0
        for name, entry in vectors().items():
            summary = entry["summary"]
            if isinstance(summary, list) or not summary["pdu_type"].startswith("01H"):
                continue
            seen += 1
            rq = self.decode(entry["data"])
            self.assertEqual("%04XH" % rq.protocol_version, summary["protocol_version"], name)
            self.assertEqual((text(rq.called), text(rq.calling)),
                             (summary["called_ae_title"], summary["calling_ae_title"]), name)
            self.assertEqual(rq.echoed, entry["data"][10:74], name)
            self.assertEqual(text(rq.application_context), bare(summary["application_context"]), name)
            self.assertEqual([(each.context_id, text(each.abstract_syntax),
                               [text(uid) for uid in each.transfer_syntaxes])
                              for each in rq.contexts],
                             [(each["id"], bare(each["abstract_syntax"]),
                               [bare(uid) for uid in each["transfer_syntaxes"]])
                              for each in summary["presentation_contexts"]], name)
            known = [each for each in summary["user_information"] if each["type"] in self.FIELDS]
            self.assertEqual(["%02XH" % each.item_type for each in rq.user_information],
                             [each["type"] for each in known], name)
            for each, due in zip(rq.user_information, known):
                for value, field in zip(each.values, self.FIELDS[due["type"]]):
                    length = len(due[field]) if field.endswith("_field") else due[field]
                    self.assertEqual(text(value) if isinstance(value, bytes) else value, length, (name, field))
        self.assertEqual(seen, 10)

    def test_its_fixed_fields_are_where_the_standard_has_them(self):
        data = pdu(1, b"\x12\x34\xee\xee" + b"called title 16!" + b"calling title 16" + bytes(bytearray(range(32)))
                   + item(0x10, b"1.2") + context())
        rq = self.dul.AAssociateRQ(data)
        self.assertEqual((rq.protocol_version, rq.called, rq.calling),
                         (0x1234, b"called title 16!", b"calling title 16"))
        self.assertEqual(rq.echoed, data[10:74])
        self.assertEqual(len(rq.echoed), 64)
        self.assertEqual((rq.application_context, len(rq.contexts), rq.user_information, rq.unknown),
                         (b"1.2", 1, [], False))

    def test_items_come_in_any_order_and_some_may_be_absent(self):
        rq = self.dul.AAssociateRQ(associate_rq([], user=user_information(), application=None,
                                                extra=context(3) + item(0x10, b"\0" + APPLICATION_CONTEXT + b" ")
                                                + context(1)))
        self.assertEqual(([each.context_id for each in rq.contexts], rq.application_context),
                         ([3, 1], APPLICATION_CONTEXT))
        rq = self.dul.AAssociateRQ(associate_rq(user=b"", application=None))
        self.assertEqual((rq.application_context, rq.user_information), (None, []))
        self.assertEqual(self.dul.AAssociateRQ(associate_rq(application=b"")).application_context, b"")

    def test_1_to_128_contexts_are_taken(self):
        for count in (1, 2, 127, 128):
            self.assertEqual(len(self.dul.AAssociateRQ(associate_rq([context()] * count)).contexts), count)
        for count in (0, 129, 300):
            error = self.error(self.dul.AAssociateRQ, associate_rq([context()] * count))
            self.assertEqual(str(error),
                             "A-ASSOCIATE-RQ: number of Presentation Context items (20H) at byte 74 is %d, due: 1 to "
                             "128 (PS3.8 9.3.2)" % count)
            self.assertEqual(error.abort, (2, 6))

    def test_an_item_whose_length_lies_is_told(self):
        rq = associate_rq()
        for value in (95, 65535):
            self.assertEqual(str(self.error(self.dul.AAssociateRQ, rq[:76] + struct.pack(">H", value) + rq[78:])),
                             "A-ASSOCIATE-RQ: Item-length of item 10H in A-ASSOCIATE-RQ at byte 76 is %d, due: at most "
                             "94 (PS3.8 9.3.2)" % value)

    def test_lengths_moved_up_and_down_raise_nothing_but_an_invalid_pdu(self):
        data = vectors()["a_associate_rq_all_subitems"]["data"]
        refused = 0
        for offset in range(74, len(data) - 1):
            for value in (0, 1, 2, 3, 5, 255, 256, 0x7FFF, 0xFFFF):
                mutated = data[:offset] + struct.pack(">H", value) + data[offset + 2:]
                try:
                    self.dul.AAssociateRQ(mutated)
                except self.dul.InvalidPDU as error:
                    refused += 1
                    self.assertTrue(74 <= error.offset <= len(data), str(error))
        self.assertGreater(refused, 500)


class Whole(Case):
    """Whole PDUs that are cut, and PDUs with bytes that are too many."""

    def test_each_golden_pdu_is_taken(self):
        for name, entry in vectors().items():
            for data in split(entry["data"]):
                self.decode(data)

    def test_cut_with_a_header_that_agrees_nothing_but_an_invalid_pdu_comes_out(self):
        refused = 0
        for name, entry in vectors().items():
            data = split(entry["data"])[0]
            for length in range(6, len(data)):
                try:
                    self.decode(data[:2] + struct.pack(">I", length - 6) + data[6:length])
                except self.dul.InvalidPDU as error:
                    refused += 1
                    self.assertIn("PS3.", str(error))
                    self.assertLessEqual(error.offset, length)
        self.assertGreater(refused, 1000)

    def test_a_byte_too_many_is_an_invalid_pdu(self):
        for name, entry in vectors().items():
            data = split(entry["data"])[0]
            if data[:1] != b"\x02":         # of an A-ASSOCIATE-AC no more than the header is looked at
                self.error(self.decode, data[:2] + struct.pack(">I", len(data) - 5) + data[6:] + b"\0")


class Data(Case):
    """P-DATA-TF."""

    def test_its_pdvs_have_their_fields(self):
        pdvs = self.dul.decode_p_data(p_data(pdv(b"ab", 1, 1), pdv(b"", 255, 0xFE), pdv(b"\0" * 1000, 0, 3)))
        self.assertEqual([tuple(each) for each in pdvs], [(1, 1, b"ab"), (255, 0xFE, b""), (0, 3, b"\0" * 1000)])
        self.assertEqual([(each.context_id, each.control, each.fragment) for each in pdvs],
                         [tuple(each) for each in pdvs])

    def test_only_bits_0_and_1_of_the_control_header_count(self):
        for control in range(256):
            each, = self.dul.decode_p_data(p_data(pdv(b"ab", 1, control)))
            self.assertEqual(each.control, control)

    def test_each_length_that_lies_is_told_with_its_place(self):
        one = pdv(b"abc")                   # 9 bytes
        field, item_length = "PDV item", "Item-length of PDV item"
        table = [(one + b"\0" * left, field, 15, "cut off: %d bytes are left" % left, "6 at least")
                 for left in range(1, 6)]
        for length, left in ((0, 2), (1, 2), (3, 2), (0xFFFFFFFF, 2), (1, 9), (10, 9)):
            table.append((struct.pack(">IBB", length, 1, 3) + b"x" * (left - 2), item_length, 6, length,
                          "2 to %d" % left))
            table.append((one + struct.pack(">IBB", length, 1, 3) + b"x" * (left - 2), item_length, 15, length,
                          "2 to %d" % left))
        for body, name, offset, found, due in table:
            error = self.error(self.dul.decode_p_data, pdu(4, body))
            self.assertEqual(str(error),
                             "P-DATA-TF: %s at byte %d is %s, due: %s (PS3.8 9.3.5.1)" % (name, offset, found, due))
            self.assertEqual(error.abort, (2, 6))
        for length in (2, 9):
            self.assertEqual(len(self.dul.decode_p_data(
                pdu(4, struct.pack(">IBB", length, 1, 3) + b"x" * (length - 2)))), 1)

    def test_10000_pdvs_are_taken_and_one_more_is_not(self):
        self.assertEqual(len(self.dul.decode_p_data(p_data(*[pdv(b"")] * 10000))), 10000)
        for count in (10001, 10010):
            error = self.error(self.dul.decode_p_data, p_data(*[pdv(b"")] * count))
            self.assertEqual(str(error),
                             "P-DATA-TF: number of PDV items at byte 60006 is more than 10000, due: at most 10000 "
                             "(PS3.8 9.3.5)")


class Sent(Case):
    """What is encoded."""

    def test_short_pdus_are_as_the_standard_lays_them_out(self):
        for source in (0, 1, 2, 255):
            for reason in (0, 6, 255):
                self.assertEqual(self.dul.encode_abort((source, reason)), abort(source, reason))
                self.assertEqual(self.dul.decode_abort(abort(source, reason)), (source, reason))
                self.assertEqual(self.dul.encode_associate_rj((1, source, reason)), reject(1, source, reason))
        self.assertEqual(self.dul.decode_abort(b"\7\xff\0\0\0\4\xaa\xbb\1\3"),
                         (1, 3))      # reserved bytes are not tested
        self.assertEqual(self.dul.RELEASE_RQ, b"\5\0\0\0\0\4\0\0\0\0")
        self.assertEqual(self.dul.RELEASE_RP, b"\6\0\0\0\0\4\0\0\0\0")

    def test_short_pdus_are_the_golden_ones(self):
        golden = dict((name, entry["data"]) for name, entry in vectors().items())
        self.assertEqual(self.dul.encode_associate_rj((1, 1, 7)), golden["a_associate_rj_called_ae"])
        self.assertEqual(self.dul.encode_associate_rj((1, 1, 3)), golden["a_associate_rj_calling_ae"])
        self.assertEqual(self.dul.encode_associate_rj(self.dul.REJECT_APPLICATION_CONTEXT),
                         golden["a_associate_rj_app_context"])
        self.assertEqual(self.dul.encode_associate_rj(self.dul.REJECT_PROTOCOL_VERSION),
                         golden["a_associate_rj_protocol_version"])
        self.assertEqual(self.dul.encode_associate_rj(self.dul.REJECT_LOCAL_LIMIT),
                         golden["a_associate_rj_local_limit"])
        self.assertEqual(self.dul.encode_abort(self.dul.ABORT_BY_USER), golden["a_abort_user"])
        self.assertEqual(self.dul.encode_abort(self.dul.ABORT_UNRECOGNIZED_PDU),
                         golden["a_abort_provider_unrecognized_pdu"])
        self.assertEqual(self.dul.encode_abort(self.dul.ABORT_UNEXPECTED_PDU),
                         golden["a_abort_provider_unexpected_pdu"])
        self.assertEqual(self.dul.encode_abort(self.dul.ABORT_INVALID_PARAMETER),
                         golden["a_abort_provider_invalid_parameter_value"])
        self.assertEqual(self.dul.RELEASE_RQ, golden["a_release_rq"])
        self.assertEqual(self.dul.RELEASE_RP, golden["a_release_rp"])

    def test_a_p_data_tf_has_one_pdv(self):
        for fragment in (b"", b"ab", echo_rq()[12:], b"x" * 70000):
            for context_id, control in ((1, 3), (255, 1), (0, 0)):
                self.assertEqual(self.dul.encode_p_data(context_id, control, fragment),
                                 p_data(pdv(fragment, context_id, control)))

    def test_an_a_associate_ac_is_its_fixed_part_and_its_items(self):
        echoed = bytes(bytearray(range(64)))
        for items in (b"", item(0x10, b"1.2"), b"x" * 66000):
            self.assertEqual(self.dul.encode_associate_ac(echoed, items), pdu(2, b"\0\1\0\0" + echoed + items))


class Codes(Case):
    """Numbers that nothing else would show to be wrong."""

    def test_uids_are_those_of_ps36(self):
        self.assertEqual((self.dul.APPLICATION_CONTEXT_NAME, self.dul.VERIFICATION),
                         (APPLICATION_CONTEXT, VERIFICATION))
        self.assertEqual((self.dul.IMPLICIT_LITTLE, self.dul.EXPLICIT_LITTLE, self.dul.EXPLICIT_BIG),
                         (b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2"))

    def test_the_limits_are_the_documented_ones(self):
        self.assertEqual((self.dul.LARGEST_RQ, self.dul.LARGEST_COMMAND_SET, self.dul.MOST_ITEMS,
                          self.dul.CLOSING_SECONDS),
                         (1048576, 65536, 10000, 30))
        self.assertEqual((self.dul.UID_LENGTH, self.dul.AE_TITLE_LENGTH, self.dul.MOST_CONTEXTS), (64, 16, 128))


class Decoder(unittest.TestCase):
    """wire.decode_ac(), which the other tests read answers with."""

    def test_it_reads_the_golden_ones(self):
        golden = vectors()
        four = decode_ac(golden["a_associate_ac_four_contexts"]["data"])
        self.assertEqual([each[:2] for each in four["contexts"]], [(1, 0), (3, 3), (5, 4), (255, 0)])
        self.assertEqual((four["version"], four["application"]), (1, APPLICATION_CONTEXT))
        self.assertEqual([kind for kind, _ in decode_ac(golden["a_associate_ac_role_async_userid"]["data"])["user"]],
                         [0x51, 0x52, 0x53, 0x54, 0x55, 0x59])
        self.assertEqual(decode_ac(golden["a_associate_ac_all_refused"]["data"])["contexts"][0][:2], (1, 3))
        for wrong in (associate_rq(), golden["a_associate_ac"]["data"] + b"\0",
                      pdu(2, b"\0\1\0\0" + b" " * 64 + item(0x50, b""))):
            self.assertRaises((ValueError, struct.error), decode_ac, wrong)
        self.assertRaises(ValueError, items_of, b"\x10\0\0\1")
        self.assertEqual(items_of(item(0x30, CT_IMAGE) + item(0x40, IMPLICIT)), [(0x30, CT_IMAGE), (0x40, IMPLICIT)])


for each in (Headers, Requests, Whole, Data, Sent, Codes):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
