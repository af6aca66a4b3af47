"""Items and sub-items of A-ASSOCIATE-RQ: the fields of each, each length that lies, and the limit on their number."""
import struct
import unittest

from support import both_forms
from wire import CT_IMAGE, IMPLICIT, LITTLE, VERIFICATION, associate_rq, context, item, user_information

FIRST = 74          # offset of the first item
NAMES = {0x51: ("Maximum Length", "PS3.8 D.1.1"), 0x52: ("Implementation Class UID", "PS3.7 D.3.3.2"),
         0x53: ("Asynchronous Operations Window", "PS3.7 D.3.3.3"), 0x54: ("SCP/SCU Role Selection", "PS3.7 D.3.3.4"),
         0x55: ("Implementation Version Name", "PS3.7 D.3.3.2"),
         0x56: ("SOP Class Extended Negotiation", "PS3.7 D.3.3.5"),
         0x57: ("SOP Class Common Extended Negotiation", "PS3.7 D.3.3.6"), 0x58: ("User Identity", "PS3.7 D.3.3.7")}


def counted(data):
    """A 2-byte length and as many bytes."""
    return struct.pack(">H", len(data)) + data


def request(*items):
    """An A-ASSOCIATE-RQ of nothing but these items."""
    return associate_rq([], user=b"", application=None, extra=b"".join(items))


def with_sub_item(kind, body):
    """An A-ASSOCIATE-RQ with one context and one sub-item, whose body is at byte 82."""
    return request(item(0x50, item(kind, body)), context())


class Case(object):
    """What the cases share."""

    def decode(self, data):
        return self.dul.AAssociateRQ(data)

    def error(self, data):
        with self.assertRaises(self.dul.InvalidPDU) as caught:
            self.dul.AAssociateRQ(data)
        self.assertEqual(caught.exception.abort, (2, 6))
        self.assertIn(" at byte %d " % caught.exception.offset, str(caught.exception))
        return str(caught.exception)

    def refused(self, data, field, offset, found, due, section):
        self.assertEqual(self.error(data), "A-ASSOCIATE-RQ: %s at byte %d is %s, due: %s (%s)" % (
            field, offset, found, due, section))


class Items(Case):
    """Their headers, their containers, their number."""

    def test_an_item_is_its_type_a_reserved_byte_its_length_and_its_body(self):
        for kind, body in ((0x20, b""), (0xFF, b"x"), (0x10, b"y" * 65535)):
            self.assertEqual(self.dul.encode_item(kind, body), struct.pack(">BBH", kind, 0, len(body)) + body)

    def test_a_header_that_is_cut_off_is_told_with_its_place(self):
        data = request(context())
        for left in (1, 2, 3):
            self.refused(data + b"\x40" * left, "Item-type and Item-length in A-ASSOCIATE-RQ", len(data),
                         "cut off: %d bytes are left" % left, "4", "PS3.8 9.3.2")
        self.assertEqual(len(self.decode(data + b"\x99\0\0\0").contexts), 1)

    def test_an_item_length_may_reach_the_end_of_the_pdu_and_no_further(self):
        data = request(context())
        for length in (0, 1, 5):
            self.assertTrue(self.decode(data + struct.pack(">BxH", 0x99, length) + b"x" * length).unknown)
            for more in (1, 2, 65535 - length):
                self.refused(data + struct.pack(">BxH", 0x99, length + more) + b"x" * length,
                             "Item-length of item 99H in A-ASSOCIATE-RQ", len(data) + 2, str(length + more),
                             "at most %d" % length, "PS3.8 9.3.2")

    def test_a_sub_item_may_reach_the_end_of_its_container_and_no_further(self):
        for container, head, kind, name, section in ((0x50, b"", 0x55, "User Information", "PS3.8 9.3.2.3"),
                                                     (0x20, b"\1\0\0\0", 0x40, "Presentation Context",
                                                      "PS3.8 9.3.2.2")):
            inner = b"" if container == 0x50 else item(0x30, VERIFICATION)
            start = FIRST + 4 + len(head) + len(inner)
            for length in (0, 3):
                body = head + inner + struct.pack(">BxH", kind, length) + b"123"[:length]
                self.decode(request(item(container, body), context()))
                body = head + inner + struct.pack(">BxH", kind, length + 1) + b"123"[:length]
                self.refused(request(item(container, body), context()),
                             "Item-length of item %02XH in %s" % (kind, name),
                             start + 2, str(length + 1), "at most %d" % length, section)
            for left in (1, 2, 3):
                self.refused(request(item(container, head + inner + b"\x40" * left), context()),
                             "Item-type and Item-length in " + name, start, "cut off: %d bytes are left" % left, "4",
                             section)

    def test_10000_items_are_taken_and_one_more_is_not(self):
        head = request(context())       # a context is three: 20H, 30H, 40H
        self.assertTrue(self.decode(head + item(0x99, b"") * 9997).unknown)
        self.refused(head + item(0x99, b"") * 9998, "number of items", len(head) + 4 * 9997, "more than 10000",
                     "at most 10000",
                     "PS3.8 9.3.2")

    def test_sub_items_and_listed_uids_count_as_items(self):
        many = [context(1, transfers=(b"",) * 9998)]
        self.assertEqual(len(self.decode(request(*many)).contexts[0].transfer_syntaxes), 9998)
        self.assertIn("number of items at byte %d is" % (FIRST + 8 + 4 + 17 + 4 * 9998), self.error(request(
            context(1, transfers=(b"",) * 9999))))
        user = item(0x50, item(0x52, b"") * 9996)           # with the 50H and the context 10000
        self.assertEqual(len(self.decode(request(user, context())).user_information), 9996)
        self.error(request(item(0x50, item(0x52, b"") * 9997), context()))
        listed = counted(b"") * 9995                        # with the 57H, the 50H and the context 10000
        self.decode(with_sub_item(0x57, counted(b"1") + counted(b"2") + counted(listed)))
        self.error(with_sub_item(0x57, counted(b"1") + counted(b"2") + counted(listed + counted(b""))))
        self.assertIn("number of items at byte %d is" % (FIRST + 16 + 2 * 9998), self.error(with_sub_item(
            0x57, counted(b"1") + counted(b"2") + counted(listed + counted(b"") * 9))))

    def test_unknown_items_and_a_second_10h_are_skipped_and_noted(self):
        for data, unknown in ((request(context()), False), (request(context(), item(0x99, b"abc")), True),
                              (request(item(0x77, b""), context()), True),
                              (request(context(), item(0x50, item(0xEE, b""))), True),
                              (request(item(0x20, b"\1\0\0\0" + item(0x30, b"1") + item(0x40, b"2") + item(0x31, b""))),
                               True),
                              (request(item(0x10, b"1.2"), context()), False),
                              (request(item(0x10, b"1.2"), item(0x10, b"1.3"), context()), True),
                              (request(item(0x21, b"\1\0\0\0"), context()), True),
                              (request(context(), item(0x50, item(0x59, b"\0\0"))), True)):
            rq = self.decode(data)
            self.assertEqual((rq.unknown, len(rq.contexts)), (unknown, 1))
        self.assertEqual(self.decode(request(item(0x10, b"1.2"), item(0x10, b"1.3"), context())).application_context,
                         b"1.2")

    def test_what_follows_an_unknown_item_is_read(self):
        rq = self.decode(request(
            item(0x11, b"9.9"), item(0x50, item(0xEE, b"") + item(0x55, b"NAME")), item(0x99, b"x"), item(0x10, b"1.2"),
            item(0x20, b"\3\0\0\0" + item(0x99, b"9") + item(0x30, b"1.3") + item(0x40, b"1.4"))))
        self.assertEqual((rq.application_context, list(rq.first(0x55)), [tuple(each) for each in rq.contexts],
                          rq.unknown),
                         (b"1.2", [b"NAME"], [(3, b"1.3", [b"1.4"])], True))


class Contexts(Case):
    """20H."""

    def test_its_fields(self):
        for number in (0, 1, 2, 127, 255):
            each, = self.decode(request(context(number, CT_IMAGE, (LITTLE, IMPLICIT, LITTLE)))).contexts
            self.assertEqual((each.context_id, each.abstract_syntax, each.transfer_syntaxes),
                             (number, CT_IMAGE, [LITTLE, IMPLICIT, LITTLE]))

    def test_reserved_bytes_and_the_order_of_its_sub_items_do_not_matter(self):
        body = b"\3\xff\xff\xff" + item(0x40, LITTLE) + item(0x30, VERIFICATION) + item(0x40, IMPLICIT)
        each, = self.decode(request(item(0x20, body))).contexts
        self.assertEqual((each.context_id, each.abstract_syntax, each.transfer_syntaxes),
                         (3, VERIFICATION, [LITTLE, IMPLICIT]))

    def test_padding_around_uids_is_dropped(self):
        each, = self.decode(request(context(1, b"\0 " + VERIFICATION + b" \0",
                                            (IMPLICIT + b"\0", b" " + LITTLE)))).contexts
        self.assertEqual((each.abstract_syntax, each.transfer_syntaxes), (VERIFICATION, [IMPLICIT, LITTLE]))
        self.assertEqual(self.dul.unpadded(b"\0 1.2 \0"), b"1.2")
        self.assertEqual(self.dul.unpadded(b"1 2\0 3\n"), b"1 2\0 3\n")

    def test_less_than_four_bytes_are_told(self):
        for length in (0, 1, 2, 3):
            self.refused(request(item(0x20, b"\1\0\0"[:length])), "Item-length of Presentation Context", FIRST + 2,
                         str(length), "at least 4", "PS3.8 9.3.2.2")

    def test_it_has_one_30h_and_at_least_one_40h(self):
        abstract, transfer = item(0x30, VERIFICATION), item(0x40, IMPLICIT)
        table = [(b"", "Abstract Syntax sub-items (30H)", 0, "1"),
                 (transfer, "Abstract Syntax sub-items (30H)", 0, "1"),
                 (abstract * 2 + transfer, "Abstract Syntax sub-items (30H)", 2, "1"),
                 (abstract, "Transfer Syntax sub-items (40H)", 0, "at least 1")]
        for body, words, count, due in table:
            self.refused(request(item(0x99, b"ab"), item(0x20, b"\1\0\0\0" + body)),
                         "number of %s of Presentation Context" % words, FIRST + 6 + 4, str(count), due,
                         "PS3.8 9.3.2.2")
        for count in (1, 2, 500):
            self.assertEqual(len(self.decode(request(item(0x20, b"\1\0\0\0" + abstract + transfer * count))).contexts),
                             1)


class SubItems(Case):
    """51H to 58H: what is decoded, and each length within."""

    # body, values in the order of the standard's fields
    GOOD = [
        (0x51, struct.pack(">I", 0), [0]), (0x51, struct.pack(">I", 0xFFFFFFFF), [0xFFFFFFFF]),
        (0x51, b"\0\1\2\3", [0x00010203]),
        (0x52, b"1.2.3", [b"1.2.3"]), (0x52, b"", [b""]), (0x52, b"1.2\0", [b"1.2"]),
        (0x53, b"\0\2\1\3", [2, 259]),
        (0x54, counted(b"1.2.3") + b"\1\0", [b"1.2.3", 1, 0]), (0x54, counted(b"") + b"\0\xff", [b"", 0, 255]),
        (0x54, counted(b"1.2\0") + b"\0\1", [b"1.2", 0, 1]),
        (0x55, b"NAME_1", [b"NAME_1"]), (0x55, b"X" * 17, [b"X" * 17]), (0x55, b"", [b""]),
    ]
    # what is only measured: of 56H the application information, of 57H the list and what follows, of 58H both secrets
    MEASURED = [
        (0x56, counted(b"1.2.3") + b"\1\xff\2", [b"1.2.3", 3]), (0x56, counted(b"1.2.3"), [b"1.2.3", 0]),
        (0x56, counted(b"1.2.3") + b"\0 \1\0", [b"1.2.3", 4]),
        (0x57, counted(b"1.2") + counted(b"1.3") + counted(b""), [b"1.2", b"1.3", 0, 0]),
        (0x57, counted(b"1.2") + counted(b"1.3") + counted(counted(b"1.4")), [b"1.2", b"1.3", 5, 0]),
        (0x57, counted(b"1.2") + counted(b"1.3") + counted(counted(b"1.4") + counted(b"")) + b" more",
         [b"1.2", b"1.3", 7, 5]),
        (0x58, b"\1\0" + counted(b"maria") + counted(b""), [1, 0, 5, 0]),
        (0x58, b"\2\1" + counted(b"maria") + counted(b"geheim"), [2, 1, 5, 6]),
        (0x58, b"\xff\xfe" + counted(b"") + counted(b""), [255, 254, 0, 0]),
    ]

    def test_each_has_its_fields(self):
        for kind, body, values in self.GOOD:
            each, = self.decode(with_sub_item(kind, body)).user_information
            self.assertEqual((each.item_type, list(each.values)), (kind, values))

    def test_of_lists_and_secrets_no_more_than_the_length_is_kept(self):
        for kind, body, values in self.MEASURED:
            each, = self.decode(with_sub_item(kind, body)).user_information
            self.assertEqual((each.item_type, list(each.values)), (kind, values))
            self.assertNotIn("geheim", repr(each))
            self.assertNotIn("maria", repr(each))

    def test_first_is_the_first_of_its_type(self):
        rq = self.decode(request(item(0x50, item(0x52, b"1.1") + item(0x55, b"A") + item(0x52, b"1.2")), context()))
        self.assertEqual(list(rq.first(0x52)), [b"1.1"])
        self.assertEqual(list(rq.first(0x55)), [b"A"])
        self.assertIsNone(rq.first(0x51))
        self.assertIsNone(rq.first(0x58))

    def lie(self, kind, body, field, offset, found, due):
        name, section = NAMES[kind]
        self.refused(with_sub_item(kind, body), "%s of %s" % (field, name), FIRST + 8 + offset, found, due, section)

    def test_numbers_that_are_cut_off(self):
        for left in range(4):
            self.lie(0x51, b"\0\1\2"[:left], "Maximum-length-received", 0, "cut off: %d bytes are left" % left, "4")
        for left in range(2):
            self.lie(0x53, b"\0"[:left], "Maximum-number-operations-invoked", 0, "cut off: %d bytes are left" % left,
                     "2")
            self.lie(0x53, b"\0\1" + b"\0"[:left], "Maximum-number-operations-performed", 2,
                     "cut off: %d bytes are left" % left, "2")
        self.lie(0x54, counted(b"1.2"), "SCU-role", 5, "cut off: 0 bytes are left", "1")
        self.lie(0x54, counted(b"1.2") + b"\1", "SCP-role", 6, "cut off: 0 bytes are left", "1")
        self.lie(0x58, b"", "User-Identity-Type", 0, "cut off: 0 bytes are left", "1")
        self.lie(0x58, b"\2", "Positive-response-requested", 1, "cut off: 0 bytes are left", "1")

    def test_lengths_that_are_cut_off_or_too_large(self):
        one = counted(b"1.2")
        table = [(0x54, b"", "SOP-class-UID"), (0x56, b"", "SOP-class-UID"), (0x57, b"", "SOP-class-UID"),
                 (0x57, one, "Service-class-UID"), (0x57, one * 2, "Related-general-sop-class-UID"),
                 (0x58, b"\2\1", "Primary-field"), (0x58, b"\2\1" + one, "Secondary-field")]
        for kind, before, field in table:
            for left in (0, 1):
                self.lie(kind, before + b"\0"[:left], field + "-length", len(before),
                         "cut off: %d bytes are left" % left, "2")
            for length in (0, 3):
                for more in (1, 2, 65535 - length):
                    self.lie(kind, before + struct.pack(">H", length + more) + b"1.2"[:length], field + "-length",
                             len(before),
                             str(length + more), "at most %d" % length)

    def test_the_uids_of_a_list_fit_the_list_and_not_only_the_sub_item(self):
        head = counted(b"1.2") + counted(b"1.3")
        self.lie(0x57, head + counted(b"\0\4" + b"1.4") + b"x" * 9, "Related-general-sop-class-UID-length", 12, "4",
                 "at most 3")
        self.lie(0x57, head + counted(counted(b"1.4") + b"\0") + b"x" * 9, "Related-general-sop-class-UID-length", 17,
                 "cut off: 1 bytes are left", "2")

    def test_bytes_behind_the_last_field_are_told_by_the_item_length(self):
        table = [(0x51, b"\0\0\0\1"), (0x53, b"\0\1\0\1"), (0x54, counted(b"1.2") + b"\1\0"),
                 (0x58, b"\2\1" + counted(b"maria") + counted(b"geheim"))]
        for kind, body in table:
            for more in (1, 2, 300):
                self.lie(kind, body + b"x" * more, "Item-length", -2, str(len(body) + more), str(len(body)))

    def test_fields_that_fill_their_sub_item_exactly_are_taken_at_the_end_of_the_pdu(self):
        for kind, body, _ in self.GOOD + self.MEASURED:
            rq = self.decode(request(context(), item(0x50, item(kind, body))))
            self.assertEqual([each.item_type for each in rq.user_information], [kind])

    def test_a_length_within_that_reaches_into_the_next_sub_item_is_refused(self):
        data = request(item(0x50, item(0x54, b"\0\4" + b"1.2\1") + item(0x51, b"\0\0\0\1")), context())
        self.refused(data, "SCU-role of SCP/SCU Role Selection", FIRST + 8 + 6, "cut off: 0 bytes are left", "1",
                     "PS3.7 D.3.3.4")

    def test_several_50h_are_read_one_after_the_other(self):
        rq = self.decode(associate_rq(user=user_information() + user_information(item(0x55, b"B"), maximum=1)))
        self.assertEqual([each.item_type for each in rq.user_information], [0x51, 0x52, 0x51, 0x52, 0x55])
        self.assertEqual(list(rq.first(0x51)), [16384])


both_forms(Items)
both_forms(Contexts)
both_forms(SubItems)

if __name__ == "__main__":
    unittest.main()
