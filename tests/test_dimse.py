"""Command sets, their fragments, C-ECHO, and the remembered answers to the common C-ECHO-RQ."""
import struct
import unittest

from support import both_forms, shared, skip_loudly, vectors
from wire import (
    CT_IMAGE, VERIFICATION, command, echo_command, echo_rq, echo_rsp, element, p_data, pdu, pdv, split, us)

MINIMAL = (element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)))


def cuts(data, size):
    """A command set cut into fragments of ``size`` bytes: (fragment, control header)."""
    pieces = [data[start:start + size] for start in range(0, len(data), size)]
    return [(piece, 1 if number < len(pieces) - 1 else 3) for number, piece in enumerate(pieces)]


def read_elements(data):
    """[(element, value)] of a command set, by struct alone."""
    found = []
    while data:
        group, number, length = struct.unpack("<HHI", data[:8])
        if group or length > len(data) - 8:
            raise ValueError("no command set")
        found.append((number, data[8:8 + length]))
        data = data[8 + length:]
    return found


class Case(object):
    """What the cases share."""

    def message_error(self, function, *arguments):
        with self.assertRaises(self.dul.MessageError) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.abort, (0, 0))
        return str(caught.exception)

    def echo(self, data, context_id=1, maximum=0):
        return self.dul.Echo(context_id, data, maximum)


class CommandSets(Case):
    """decode_command(), Echo."""

    def test_the_response_is_the_golden_one(self):
        golden = vectors()
        for request, answer in (("c_echo_rq", "c_echo_rsp"),
                                ("c_echo_rq_message_id_65535", "c_echo_rsp_message_id_65535")):
            echo = self.echo(golden[request]["data"][12:])
            self.assertEqual(list(echo.pdus), [golden[answer]["data"]])
            self.assertEqual(echo.response, golden[answer]["data"][12:])
            self.assertEqual((echo.context_id, echo.command), (1, golden[request]["data"][12:]))
        self.assertEqual(list(self.echo(golden["c_echo_rq"]["data"][12:], 1, 64).pdus),
                         split(golden["c_echo_rsp_fragmented_for_max_length_64"]["data"]))

    def test_a_wrong_sop_class_is_answered_with_0122h_and_its_own_name(self):
        for sop_class in (CT_IMAGE, b"1.2", b"", VERIFICATION + b".1", b"x" * 63):
            echo = self.echo(echo_command(4, sop_class))
            self.assertEqual((echo.status, echo.sop_class, echo.message_id), (0x0122, sop_class, 4))
            self.assertEqual(read_elements(echo.response)[1:], [
                (2, sop_class + b"\0" * (len(sop_class) % 2)), (0x100, us(0x8030)), (0x120, us(4)), (0x800, us(0x101)),
                (0x900, us(0x122))])
            self.assertEqual(read_elements(echo.response)[0], (0, struct.pack("<I", len(echo.response) - 12)))

    def test_every_message_id_is_returned(self):
        for message_id in (0, 1, 255, 256, 0x1234, 65535):
            echo = self.echo(echo_command(message_id))
            self.assertEqual((echo.message_id, echo.status, list(echo.pdus)), (message_id, 0, [echo_rsp(message_id)]))
            self.assertEqual(list(self.echo(echo_command(message_id), 255).pdus), [echo_rsp(message_id, 255)])

    def test_what_is_forgiven(self):
        for data in (echo_command(sop_class=None), echo_command(sop_class=VERIFICATION + b"  "),
                     echo_command(sop_class=b" " + VERIFICATION), command(*MINIMAL, length=None),
                     command(*MINIMAL, length=7),
                     command(element(0, b""), *MINIMAL, length=None), command(*reversed(MINIMAL)),
                     command(*(MINIMAL + (element(0x5000, b"odd"), element(0xFFFF, b""))))):
            echo = self.echo(data)
            self.assertEqual((echo.message_id, echo.status, list(echo.pdus)), (1, 0, [echo_rsp(1)]))

    def test_what_is_not_a_c_echo_rq_is_told_in_words(self):
        absent = "command set: %s is absent, due: 2 bytes (PS3.7 E.1)"
        two = "command set: %s is %d bytes long, due: 2 bytes (PS3.7 E.1)"
        rest = MINIMAL[1:]
        table = [(echo_command(field=field), "%s on Verification, which has C-ECHO-RQ alone (PS3.7 9.1.5)" % name)
                 for field, name in (
            (0x0001, "C-STORE-RQ"), (0x8030, "C-ECHO-RSP"), (0x0FFF, "C-CANCEL-RQ"), (0x0777, "command 0777H"),
            (0x31, "command 0031H"),
            (0, "command 0000H"))]
        table += [(echo_command(data_set=value),
                   "C-ECHO-RQ with a data set: Command Data Set Type (0000,0800) is %04XH, due: 0101H "
                   "(PS3.7 9.3.5.1)" % value) for value in (0, 1, 0x0100, 0x0102, 0xFFFF)]
        table += [(command(*rest), absent % "Command Field (0000,0100)"),
                  (command(MINIMAL[0], MINIMAL[2]), absent % "Message ID (0000,0110)"),
                  (command(*MINIMAL[:2]), absent % "Command Data Set Type (0000,0800)"),
                  (command(), absent % "Command Field (0000,0100)"), (b"", absent % "Command Field (0000,0100)"),
                  (command(element(0x100, b"\x30\0\0\0"), *rest), two % ("Command Field (0000,0100)", 4)),
                  (command(element(0x100, b""), *rest), two % ("Command Field (0000,0100)", 0)),
                  (command(element(0x100, b"\x30"), *rest), two % ("Command Field (0000,0100)", 1)),
                  (command(MINIMAL[0], element(0x110, b"\1\0\0"), MINIMAL[2]), two % ("Message ID (0000,0110)", 3))]
        for data, words in table:
            self.assertEqual(self.message_error(self.echo, data), words)

    def test_each_element_that_does_not_fit_is_told_with_its_place(self):
        first = element(0x100, us(0x30))        # 10 bytes
        for left in range(1, 8):
            self.assertEqual(self.message_error(self.dul.decode_command, first + b"\0" * left),
                             "command set: element at byte 10 is cut off: %d byte%s left, due: 8 bytes at least (PS3.7 "
                             "6.3.1)" % (left, "s" * (left > 1)))
        self.assertEqual(self.message_error(self.dul.decode_command, first + element(0x110, us(1), group=8)),
                         "command set: group at byte 10 is 0008H, due: 0000H (PS3.7 6.3.1)")
        self.assertEqual(self.message_error(self.dul.decode_command, first + element(0x110, b"") + first),
                         "command set: Command Field (0000,0100) at byte 18 is there a second time, due: once at most "
                         "(PS3.7 6.3.1)")
        self.assertEqual(self.message_error(self.dul.decode_command, command(*MINIMAL) + element(0, b"\0\0\0\0")),
                         "command set: Command Group Length (0000,0000) at byte 42 is there a second time, due: once "
                         "at most (PS3.7 6.3.1)")
        for length, left in ((1, 0), (3, 2), (0xFFFFFFFF, 2), (0xFFFFFFFF, 0)):
            self.assertEqual(self.message_error(self.dul.decode_command,
                                                first + struct.pack("<HHI", 0, 0x110, length) + b"x" * left),
                             "command set: Value Length of Message ID (0000,0110) at byte 14 is %d, due: at most %d "
                             "(PS3.7 6.3.1)" % (length, left))

    def test_all_elements_are_kept_but_the_group_length(self):
        data = command(element(2, b"1.2\0"), element(0x100, us(0x30)), element(0x1234, b""), element(0x110, b"abc"))
        self.assertEqual(self.dul.decode_command(data), {2: b"1.2\0", 0x100: us(0x30), 0x1234: b"", 0x110: b"abc"})
        self.assertEqual(self.dul.decode_command(b""), {})

    def test_cut_at_every_length_nothing_but_a_message_error_comes_out(self):
        data = echo_command()
        for length in range(len(data)):
            self.message_error(self.echo, data[:length])

    def test_a_command_set_is_encoded_with_its_group_length(self):
        self.assertEqual(self.dul.encode_command([]), element(0, b"\0\0\0\0"))
        self.assertEqual(self.dul.encode_command([(2, b"1.2\0"), (0x900, us(1))]),
                         command(element(2, b"1.2\0"), element(0x900, us(1))))


class Maximum(Case):
    """to_pdus(): no PDU is longer than the peer's maximum."""

    def test_no_pdu_is_longer_and_none_is_shorter_than_need_be(self):
        response = echo_rsp()[12:]
        for maximum in list(range(8, 100)) + [0, 16384, 0xFFFFFFFF]:
            pdus = self.dul.to_pdus(3, response, maximum)
            most = len(response) if not maximum else (maximum - 6) // 2 * 2
            self.assertEqual(pdus, [p_data(pdv(fragment, 3, control)) for fragment, control in cuts(response, most)],
                             maximum)
            self.assertTrue(all(not maximum or len(each) - 6 <= maximum for each in pdus), maximum)

    def test_a_maximum_that_lets_nothing_through_is_told(self):
        for maximum in range(1, 8):
            self.assertEqual(self.message_error(self.dul.to_pdus, 1, b"xx", maximum),
                             "A-ASSOCIATE-RQ: Maximum-length-received is %d, due: 0 or at least 8, or nothing can be "
                             "answered (PS3.8 D.1)" % maximum)
        self.assertEqual(self.dul.to_pdus(1, b"xx", 8), [p_data(pdv(b"xx"))])


class LongUID(Case):
    """An Affected SOP Class UID."""

    def test_it_has_at_most_64_bytes(self):
        longest = b"1." + b"2" * 62
        self.assertEqual(self.echo(echo_command(sop_class=longest)).sop_class, longest)
        self.assertEqual(self.message_error(self.echo, echo_command(sop_class=longest + b"3")),
                         "command set: Affected SOP Class UID is 65 bytes long, due: at most 64 (PS3.5 9.1)")


class Service(Case):
    """EchoService: fragments in, echoes out."""

    def service(self, contexts=(1,), maximum=0, remembered=None):
        return self.dul.EchoService(contexts, maximum, {} if remembered is None else remembered)

    def answers(self, service, *pdus):
        """The response PDUs."""
        return [each for data in pdus for echo in service.receive(data) for each in echo.pdus]

    def test_any_fragmentation_gives_the_same_answer(self):
        data = echo_command(9)
        remembered = {}
        self.assertEqual(self.answers(self.service(remembered=remembered), echo_rq(9)), [echo_rsp(9)])
        for size in range(1, len(data) + 2):
            pieces = [pdv(fragment, 1, control) for fragment, control in cuts(data, size)]
            for memory in (None, remembered):
                self.assertEqual(self.answers(self.service(remembered=memory), p_data(*pieces)), [echo_rsp(9)])
                self.assertEqual(self.answers(self.service(remembered=memory), *[p_data(each) for each in pieces]),
                                 [echo_rsp(9)])
        for pieces in ((pdv(b"", 1, 1), pdv(data, 1, 1), pdv(b"", 1, 3)), (pdv(data, 1, 0xFF),), (pdv(data, 1, 0x07),)):
            self.assertEqual(self.answers(self.service(), p_data(*pieces)), [echo_rsp(9)])

    def test_several_messages_in_one_pdu_are_answered_in_their_order(self):
        pdus = p_data(pdv(echo_command(1)), pdv(echo_command(2), 3), pdv(echo_command(3)[:30], 1, 1)), p_data(
            pdv(echo_command(3)[30:]), pdv(echo_command(4)))
        service = self.service((1, 3))
        for _ in range(2):
            self.assertEqual(self.answers(service, *pdus), [echo_rsp(1), echo_rsp(2, 3), echo_rsp(3), echo_rsp(4)])

    def test_messages_in_front_of_one_that_cannot_be_answered_are_answered(self):
        service = self.service()
        echoes = iter(service.receive(p_data(pdv(echo_command(1)), pdv(echo_command(field=1)))))
        self.assertEqual(list(next(echoes).pdus), [echo_rsp(1)])
        self.assertIn("C-STORE-RQ", self.message_error(next, echoes))

    def test_a_whole_command_set_that_is_not_answered_comes_with_the_error(self):
        wrong = echo_command(field=1)
        for pdvs, due in (((pdv(wrong),), (1, wrong)), ((pdv(wrong[:9], 3, 1), pdv(wrong[9:], 3)), (3, wrong)),
                          ((pdv(b"x"),), (1, b"x")), ((pdv(wrong, 5),), ()), ((pdv(wrong, 1, 2),), ()),
                          ((pdv(wrong[:9], 1, 1), pdv(b"", 3)), ())):
            service = self.service((1, 3))
            with self.assertRaises(self.dul.MessageError) as caught:
                self.answers(service, p_data(*pdvs))
            self.assertEqual(tuple(caught.exception.unanswered), due)

    def test_what_cannot_be_here_is_told(self):
        begun = pdv(b"ab", 1, 1)
        table = [((pdv(b"", 5),),
                  "P-DATA-TF: Presentation-context-ID is 5, due: one that was accepted (1, 3) (PS3.8 9.3.5.1)"),
                 ((pdv(b"", 2),),
                  "P-DATA-TF: Presentation-context-ID is 2, due: one that was accepted (1, 3) (PS3.8 9.3.5.1)"),
                 ((pdv(b"", 1, 2),), "P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)"),
                 ((pdv(b"", 5, 0),),
                  "P-DATA-TF: Presentation-context-ID is 5, due: one that was accepted (1, 3) (PS3.8 9.3.5.1)"),
                 ((begun, pdv(b"", 3)),
                  "P-DATA-TF: Presentation-context-ID is 3 in the middle of a command set, due: 1 (PS3.8 E.1)"),
                 ((begun, pdv(b"", 1, 0)), "P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)"),
                 ((begun, pdv(b"", 7)),
                  "P-DATA-TF: Presentation-context-ID is 7, due: one that was accepted (1, 3) (PS3.8 9.3.5.1)")]
        for pdvs, words in table:
            service = self.service((1, 3))
            self.assertEqual(self.message_error(self.answers, service, p_data(*pdvs)), words)
            service = self.service((1, 3))
            self.assertEqual(self.message_error(self.answers, service, *[p_data(each) for each in pdvs]), words)

    def test_another_context_may_follow_when_a_command_set_is_complete(self):
        service = self.service((1, 3))
        self.assertEqual(self.answers(service, p_data(pdv(echo_command(1)[:9], 3, 1)),
                                      p_data(pdv(echo_command(1)[9:], 3)),
                                      echo_rq(2), p_data(pdv(echo_command(5), 3))),
                         [echo_rsp(1, 3), echo_rsp(2), echo_rsp(5, 3)])

    def test_the_common_request_amid_another_command_set_is_no_message_of_its_own(self):
        remembered = {}
        self.assertEqual(self.answers(self.service(remembered=remembered), echo_rq(2)), [echo_rsp(2)])
        for memory in ({}, remembered):
            service = self.service(remembered=memory)
            self.answers(service, p_data(pdv(echo_command()[:20], 1, 1)))
            self.assertIn("command set: ", self.message_error(self.answers, service, echo_rq(2)))
            self.assertEqual(sorted(memory), sorted(remembered) if memory else [])

    def test_a_command_set_of_65536_bytes_is_taken_and_one_byte_more_is_not(self):
        head = echo_command(7)
        for size, taken in ((65536, True), (65537, False)):
            data = head + element(0x5000, b"x" * (size - len(head) - 8))
            self.assertEqual(len(data), size)
            for step in (size, 16000, 1001):
                pdus = [p_data(pdv(fragment, 1, control)) for fragment, control in cuts(data, step)]
                if taken:
                    self.assertEqual(self.answers(self.service(), *pdus * 2), [echo_rsp(7)] * 2)
                else:
                    self.assertEqual(self.message_error(self.answers, self.service(), *pdus),
                                     "command set: longer than 65536 bytes, the most that is taken here")

    def test_fragments_without_end_are_bounded_in_number(self):
        for fragment, most in ((b"", 32768), (b"x", 32768), (b"xy", 32768), (b"xyz", 21845)):
            service, one = self.service(), p_data(pdv(fragment, 1, 1))
            for count in range(most):
                self.answers(service, one)
            self.assertIn("longer than 65536 bytes", self.message_error(self.answers, service, one))

    def test_each_command_set_may_be_that_long(self):
        data, service = echo_command(7) + element(0x5000, b"x" * 40000), self.service()
        for _ in range(3):
            self.assertEqual(self.answers(service, p_data(pdv(data))), [echo_rsp(7)])

    def test_a_broken_pdu_is_an_invalid_pdu(self):
        for data in (pdu(4, b"\0\0\0\1\1\3"), echo_rq()[:-1], echo_rq() + b"\0"):
            self.assertRaises(self.dul.InvalidPDU, self.service().receive, data)


class Remembered(Case):
    """The common C-ECHO-RQ, where it came before, has the answer that decoding gives, without decoding."""

    def result(self, data, contexts, maximum=0, remembered=None):
        """The answer's bytes, or the sentence of the error, and whether nothing was decoded."""
        service = self.dul.EchoService(contexts, maximum, {} if remembered is None else remembered)
        try:
            echoes = service.receive(data)
            return [(echo.context_id, echo.command, echo.message_id, echo.sop_class, echo.status, echo.response,
                     tuple(echo.pdus)) for echo in echoes], isinstance(echoes, tuple)
        except self.dul.PeerError as error:
            return str(error), False

    def test_every_context_and_message_id_is_answered_as_decoding_does(self):
        contexts = tuple(range(1, 256, 2))
        for context_id in contexts:
            remembered = {}
            for message_id in (0, 1, 255, 256, 40000, 65535):
                data = echo_rq(message_id, context_id)
                due = [(context_id, echo_command(message_id), message_id, VERIFICATION, 0,
                        echo_rsp(message_id, context_id)[12:], (echo_rsp(message_id, context_id),))]
                self.assertEqual(self.result(data, contexts, 0, remembered), (due, False))
                self.assertEqual(self.result(data, contexts, 0, remembered), (due, True))
            self.assertEqual(len(remembered), 6)

    def test_a_request_that_differs_in_one_byte_has_its_own_answer(self):
        data, remembered = echo_rq(7), {}
        self.result(data, (1, 3), 0, remembered)
        for offset in range(len(data)):
            for value in shared(self.dul, range(256)):
                mutated = data[:offset] + struct.pack("B", value) + data[offset + 1:]
                due = self.result(mutated, (1, 3))[0]
                for _ in range(2):
                    self.assertEqual(self.result(mutated, (1, 3), 0, remembered)[0], due)

    def test_nothing_else_is_remembered(self):
        for data in (echo_rq()[:-1], echo_rq() + b"\0", echo_rq(1, 5), echo_rq() * 2,
                     p_data(pdv(echo_command(), 1, 0xFF)), p_data(pdv(b"", 1, 1), pdv(echo_command())),
                     p_data(pdv(echo_command() + element(0x5000, b"Maria Huber"))),
                     p_data(pdv(echo_command(sop_class=CT_IMAGE))),
                     p_data(pdv(echo_command(sop_class=None))), p_data(pdv(echo_command()), pdv(echo_command(2)))):
            remembered = {}
            for _ in range(2):
                self.result(data, (1, 3), 0, remembered)
            self.assertEqual(remembered, {}, data)

    def test_nothing_of_a_command_set_that_had_begun_is_remembered(self):
        remembered = {}
        service = self.dul.EchoService((1,), 0, remembered)
        self.assertEqual(list(service.receive(p_data(pdv(element(0x0999, b"secret"), 1, 1)))), [])
        echo, = service.receive(echo_rq(3))         # the rest of that command set
        self.assertIn(b"secret", echo.command)
        self.assertEqual(remembered, {})
        echo, = service.receive(echo_rq(3))
        self.assertEqual((echo.command, list(remembered)), (echo_command(3), [echo_rq(3)]))

    def test_how_many_are_remembered_is_bounded(self):
        remembered = {}
        for message_id in range(100):
            self.assertEqual(self.result(echo_rq(message_id), (1,), 0, remembered)[0][0][2], message_id)
            self.assertLessEqual(len(remembered), 16)
            self.assertIn(echo_rq(message_id), remembered)

    def test_the_response_is_cut_for_the_peer_where_it_must_be(self):
        for maximum in (0, 8, 83, 84, 85, 0xFFFFFFFF):
            remembered = {}
            first, second = [self.result(echo_rq(3), (1,), maximum, remembered)[0] for _ in range(2)]
            self.assertEqual(first, second)
            self.assertTrue(all(not maximum or len(each) - 6 <= maximum for each in first[0][6]), maximum)
            self.assertEqual(len(first[0][6]) > 1, 0 < maximum < 84)


class IndependentWitness(Case):
    """pydicom reads what we write, and we read what it writes."""

    def setUp(self):
        try:
            import pydicom.dataset
            import pydicom.filebase
            import pydicom.filereader
            import pydicom.filewriter
        except ImportError:
            skip_loudly("pydicom is not installed: it is not asked about our command sets")
        self.pydicom = pydicom

    def test_it_decodes_our_response(self):
        from io import BytesIO
        data_set = self.pydicom.filereader.read_dataset(BytesIO(self.echo(echo_command(513)).response), True, True)
        self.assertEqual([(each.tag.elem, each.value) for each in data_set], [
            (0x0000, 66), (0x0002, VERIFICATION.decode()), (0x0100, 0x8030), (0x0120, 513), (0x0800, 0x0101),
            (0x0900, 0)])

    def test_we_decode_its_request(self):
        data_set = self.pydicom.dataset.Dataset()
        data_set.AffectedSOPClassUID = VERIFICATION.decode()
        data_set.CommandField, data_set.MessageID, data_set.CommandDataSetType = 0x0030, 4711, 0x0101
        target = self.pydicom.filebase.DicomBytesIO()
        target.is_little_endian, target.is_implicit_VR = True, True
        self.pydicom.filewriter.write_dataset(target, data_set)
        for data in (target.getvalue(), command(target.getvalue())):
            echo = self.echo(data)
            self.assertEqual((echo.message_id, echo.sop_class), (4711, VERIFICATION))


for each in (CommandSets, Maximum, LongUID, Service, Remembered, IndependentWitness):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
