"""Command sets, their fragments, and the short cut for the common C-ECHO-RQ."""
import struct
import unittest

from support import both_forms, skip_loudly, vectors
from wire import (
    CT_IMAGE, VERIFICATION, command, echo_command, echo_rq, echo_rsp, element, p_data, pdv, us)


def cuts(data, size):
    """A command set cut into fragments of ``size`` bytes: (fragment, control header)."""
    pieces = [data[start:start + size] for start in range(0, len(data), size)]
    return [(piece, 1 if number < len(pieces) - 1 else 3) for number, piece in enumerate(pieces)]


class CommandSets(object):
    """CommandSet and EchoRequest."""

    def test_the_response_is_the_golden_one(self):
        golden = vectors()
        for name, message_id in (("c_echo_rsp", 1), ("c_echo_rsp_message_id_65535", 65535)):
            response = self.dul.EchoRequest(message_id, VERIFICATION).response()
            self.assertEqual(self.dul.to_pdus(1, response, 0), [golden[name]["data"]])
        refused = self.dul.EchoRequest(1, CT_IMAGE)
        self.assertEqual(refused.status, 0x0122)
        self.assertEqual(self.dul.to_pdus(1, refused.response(), 0), [golden["c_echo_rsp_sop_class_not_supported"]["data"]])
        self.assertEqual(self.dul.to_pdus(1, self.dul.EchoRequest(1, None).response(), 64),
                         list(self.split(golden["c_echo_rsp_fragmented_for_max_length_64"]["data"])))

    @staticmethod
    def split(data):
        while data:
            length = 6 + struct.unpack(">I", data[2:6])[0]
            yield data[:length]
            data = data[length:]

    def test_what_is_forgiven(self):
        for data in (echo_command(sop_class=None), echo_command(sop_class=VERIFICATION + b"  "),
                     command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)), length=None),
                     command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)), length=7),
                     command(element(0x800, us(0x101)), element(0x110, us(1)), element(0x100, us(0x30))),
                     command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)),
                             element(0x5000, b"odd"))):
            request = self.dul.EchoRequest.of(self.dul.CommandSet.decode(data))
            self.assertEqual((request.message_id, request.status), (1, 0))

    def test_what_is_not_a_c_echo_rq_is_told_in_words(self):
        table = [
            (echo_command(field=0x0001), "C-STORE-RQ on Verification"),
            (echo_command(field=0x8030), "C-ECHO-RSP on Verification"),
            (echo_command(field=0x0FFF), "C-CANCEL-RQ on Verification"),
            (echo_command(field=0x0777), "command 0777H on Verification"),
            (echo_command(data_set=0), "Command Data Set Type (0000,0800) is 0000H, due: 0101H"),
            (command(element(0x110, us(1)), element(0x800, us(0x101))), "Command Field (0000,0100) is absent"),
            (command(element(0x100, us(0x30)), element(0x800, us(0x101))), "Message ID (0000,0110) is absent"),
            (command(element(0x100, us(0x30)), element(0x110, us(1))), "Command Data Set Type (0000,0800) is absent"),
            (command(element(0x100, b"\x30\0\0\0")), "Command Field (0000,0100) is 4 bytes long, due: 2 bytes"),
            (b"", "Command Field (0000,0100) is absent"),
            (b"1234567", "element at byte 0 is cut off: 7 bytes are left, due: 8 at least"),
            (command(element(0x100, us(0x30), group=8)), "group at byte 12 is 0008H, due: 0000H"),
            (command(element(0x100, us(0x30)), element(0x100, us(0x30))), "Command Field (0000,0100) at byte 22 is there a "
                                                                          "second time, due: once at most"),
            (struct.pack("<HHI", 0, 0x100, 0xFFFFFFFF) + b"ab", "Value Length of Command Field (0000,0100) at byte 4 is "
                                                                "4294967295, due: at most 2"),
        ]
        for data, words in table:
            with self.assertRaises(self.dul.MessageError) as caught:
                self.dul.EchoRequest.of(self.dul.CommandSet.decode(data))
            self.assertIn(words, str(caught.exception))
            self.assertEqual(caught.exception.abort, (0, 0))

    def test_cut_at_every_length_nothing_but_a_message_error_comes_out(self):
        data = echo_command()
        for length in range(len(data)):
            with self.assertRaises(self.dul.MessageError):
                self.dul.EchoRequest.of(self.dul.CommandSet.decode(data[:length]))

    def test_encode_and_decode_are_inverse(self):
        for message_id in (0, 1, 255, 256, 65535):
            data = echo_command(message_id)
            request = self.dul.EchoRequest.of(self.dul.CommandSet.decode(data))
            self.assertEqual(request.encode(), data)
            self.assertEqual(self.dul.CommandSet.decode(data).encode(), data)


class Fragments(object):
    """Assembler and to_pdus()."""

    def assemble(self, fragments, context_id=1, contexts=(1,)):
        assembler, done = self.dul.Assembler(), []
        for fragment, control in fragments:
            data = assembler.add(self.dul.PDV(context_id, control, fragment), contexts)
            if data is not None:
                done.append(data)
        return done

    def test_any_fragmentation_gives_the_command_set_back(self):
        data = echo_command()
        for size in range(1, len(data) + 2):
            self.assertEqual(self.assemble(cuts(data, size)), [data])
        self.assertEqual(self.assemble([(b"", 1), (data, 1), (b"", 3)]), [data])
        self.assertEqual(self.assemble([(data, 0xFF)]), [data])

    def test_what_cannot_be_here_is_told(self):
        dul = self.dul
        begun = dul.Assembler()
        begun.add(dul.PDV(1, 1, b"ab"), (1, 3))
        table = [(dul.Assembler(), dul.PDV(5, 3, b""), "Presentation-context-ID is 5, due: one that was accepted (1, 3)"),
                 (dul.Assembler(), dul.PDV(1, 2, b""), "fragment of a data set, due: of a command set"),
                 (begun, dul.PDV(3, 3, b""), "Presentation-context-ID is 3 in the middle of a command set, due: 1"),
                 (begun, dul.PDV(1, 0, b""), "fragment of a data set")]
        for assembler, each, words in table:
            with self.assertRaises(dul.MessageError) as caught:
                assembler.add(each, (1, 3))
            self.assertIn(words, str(caught.exception))

    def test_a_command_set_and_fragments_without_end_are_bounded(self):
        for fragment, most in ((b"x" * 1000, 66), (b"", 32769)):
            assembler, count = self.dul.Assembler(), 0
            with self.assertRaises(self.dul.MessageError):
                while count <= most:
                    assembler.add(self.dul.PDV(1, 1, fragment), (1,))
                    count += 1
            self.assertLessEqual(count, most)

    def test_no_pdu_is_longer_than_the_peers_maximum(self):
        response = self.dul.EchoRequest(1, None).response()
        for maximum in list(range(8, 100)) + [0, 16384, 0xFFFFFFFF]:
            pdus = self.dul.to_pdus(1, response, maximum)
            parts = [self.dul.PDataTF.decode(each).pdvs for each in pdus]
            self.assertTrue(all(len(each) == 1 and len(each[0].fragment) % 2 == 0 for each in parts))
            self.assertTrue(all(not maximum or len(each) - 6 <= maximum for each in pdus), maximum)
            self.assertEqual(self.assemble([(each[0].fragment, each[0].control) for each in parts]), [response])
            self.assertEqual(len(pdus), 1 if not maximum or maximum >= 84 else -(-78 // ((maximum - 6) // 2 * 2)))

    def test_a_maximum_that_lets_nothing_through_is_told(self):
        for maximum in range(1, 8):
            with self.assertRaises(self.dul.MessageError) as caught:
                self.dul.to_pdus(1, b"xx", maximum)
            self.assertIn("Maximum-length-received is %d" % maximum, str(caught.exception))


class ShortCut(object):
    """The common C-ECHO-RQ is answered as the full path would."""

    def full(self, data, context_id):
        """What decoding gives: the answer's bytes, or None where there is another answer than an echo response."""
        try:
            decoded = self.dul.PDataTF.decode(data)
            assembler = self.dul.Assembler()
            done = [assembler.add(each, (context_id,)) for each in decoded.pdvs]
            if len(done) != 1 or done[0] is None:
                return None
            request = self.dul.EchoRequest.of(self.dul.CommandSet.decode(done[0]))
            return b"".join(self.dul.to_pdus(context_id, request.response(), 0))
        except self.dul.PeerError:
            return None

    def test_it_answers_every_context_and_message_id_as_decoding_does(self):
        for context_id in range(1, 256, 2):
            short = self.dul.CommonEcho(context_id)
            for message_id in (0, 1, 255, 256, 40000, 65535):
                data = echo_rq(message_id, context_id)
                self.assertEqual(short.answer(data), echo_rsp(message_id, context_id))
                self.assertEqual(short.answer(data), self.full(data, context_id))

    def test_whatever_it_answers_decoding_answers_alike(self):
        short, data, taken = self.dul.CommonEcho(1), echo_rq(7), 0
        for offset in range(len(data)):
            for value in range(256):
                mutated = data[:offset] + struct.pack("B", value) + data[offset + 1:]
                answer = short.answer(mutated)
                if answer is not None:
                    taken += 1
                    self.assertEqual(answer, self.full(mutated, 1))
        self.assertEqual(taken, len(data) - 2 + 2 * 256)    # itself, and every Message ID that differs in one byte

    def test_it_leaves_everything_else_to_decoding(self):
        short = self.dul.CommonEcho(1)
        for data in (b"", echo_rq()[:-1], echo_rq() + b"\0", echo_rq(1, 3), echo_rq() * 2, b"\x05\0\0\0\0\x04\0\0\0\0",
                     p_data(pdv(echo_command(sop_class=CT_IMAGE)))):
            self.assertIsNone(short.answer(data))

    def test_its_answer_has_the_length_that_it_says(self):
        self.assertEqual(self.dul.CommonEcho.LENGTH, len(echo_rsp()) - 6)


class IndependentWitness(object):
    """pydicom reads what we write, and we read what it writes."""

    def setUp(self):
        try:
            import pydicom.dataset
            import pydicom.filereader
            import pydicom.filewriter
            import pydicom.filebase
        except ImportError:
            skip_loudly("pydicom is not installed: it is not asked about our command sets")
        self.pydicom = pydicom

    def read(self, data):
        from io import BytesIO
        return self.pydicom.filereader.read_dataset(BytesIO(data), True, True)

    def test_it_decodes_our_response(self):
        data_set = self.read(self.dul.EchoRequest(513, VERIFICATION).response())
        self.assertEqual([(each.tag.elem, each.value) for each in data_set], [
            (0x0000, 66), (0x0002, VERIFICATION.decode()), (0x0100, 0x8030), (0x0120, 513), (0x0800, 0x0101), (0x0900, 0)])

    def test_we_decode_its_request(self):
        data_set = self.pydicom.dataset.Dataset()
        data_set.AffectedSOPClassUID = VERIFICATION.decode()
        data_set.CommandField, data_set.MessageID, data_set.CommandDataSetType = 0x0030, 4711, 0x0101
        target = self.pydicom.filebase.DicomBytesIO()
        target.is_little_endian, target.is_implicit_VR = True, True
        self.pydicom.filewriter.write_dataset(target, data_set)
        for data in (target.getvalue(), command(target.getvalue())):
            request = self.dul.EchoRequest.of(self.dul.CommandSet.decode(data))
            self.assertEqual((request.message_id, request.sop_class), (4711, VERIFICATION))


both_forms(CommandSets)
both_forms(Fragments)
both_forms(ShortCut)
both_forms(IndependentWitness)

if __name__ == "__main__":
    unittest.main()
