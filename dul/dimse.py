"""Command sets, their fragments, C-ECHO request and response (PS3.7 6.3, 9.3.5; PS3.8 Annex E). Pure.

A command set is always Implicit VR Little Endian: elements of group (2 bytes), element (2), length (4), value.
"""
import struct

from dul.codes import (
    AFFECTED_SOP_CLASS_UID, C_ECHO_RQ, C_ECHO_RSP, COMMAND_DATA_SET_TYPE, COMMAND_FIELD, COMMAND_FRAGMENT,
    COMMAND_GROUP_LENGTH, COMMAND_NAMES, ELEMENT_NAMES, HEADER_LENGTH, LARGEST_COMMAND_SET, LAST_FRAGMENT, MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO, MINIMUM_MAXIMUM_LENGTH, NO_DATA_SET, PDV_OVERHEAD, SOP_CLASS_NOT_SUPPORTED, STATUS,
    SUCCESS, VERIFICATION)
from dul.errors import MessageError
from dul.items import Value, unpadded
from dul.pdu import PDV, PDataTF

ELEMENT_HEADER = struct.Struct("<HHI")      # group, element, value length
US = struct.Struct("<H")
_NUMBER_ELEMENT = struct.Struct("<HHIH")
_GROUP_LENGTH = struct.Struct("<HHII")


def element_name(element):
    """``Command Field (0000,0100)``."""
    return "%s (0000,%04X)" % (ELEMENT_NAMES.get(element, "element"), element)


def command_name(field):
    """``C-STORE-RQ``, or the number where it has no name."""
    return COMMAND_NAMES.get(field, "command %04XH" % field)


class CommandSet(Value):
    """A command set (PS3.7 6.3, E.1).

    :ivar elements: list of (element number in group 0000, value as bytes) without the Command Group Length
    """

    __slots__ = ("elements",)

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole command set. The Command Group Length may be absent or wrong.

        :raises MessageError: where an element does not fit, is not of group 0000, or comes twice
        """
        elements, seen, offset = [], set(), 0
        while offset < len(data):
            if len(data) - offset < 8:
                raise _invalid(offset, "element", "cut off: %d bytes are left" % (len(data) - offset), "8 at least")
            group, element, length = ELEMENT_HEADER.unpack_from(data, offset)
            if group:
                raise _invalid(offset, "group", "%04XH" % group, "0000H")
            if element in seen:
                raise _invalid(offset, element_name(element), "there a second time", "once at most")
            seen.add(element)
            offset += 8
            if length > len(data) - offset:
                raise _invalid(offset - 4, "Value Length of " + element_name(element), "%d" % length,
                               "at most %d" % (len(data) - offset))
            if element != COMMAND_GROUP_LENGTH:
                elements.append((element, data[offset:offset + length]))
            offset += length
        return cls(elements)

    def encode(self):
        """The whole command set, with its Command Group Length."""
        body = b"".join([ELEMENT_HEADER.pack(0, element, len(value)) + value for element, value in self.elements])
        return _GROUP_LENGTH.pack(0, COMMAND_GROUP_LENGTH, 4, len(body)) + body

    def value(self, element):
        """The value of an element as bytes, or None where it is absent."""
        for number, value in self.elements:
            if number == element:
                return value
        return None

    def number(self, element):
        """The value of an element of VR US.

        :raises MessageError: where it is absent, or not two bytes long
        """
        value = self.value(element)
        if value is None or len(value) != US.size:
            raise MessageError("command set: %s is %s, due: 2 bytes (PS3.7 E.1)" % (
                element_name(element), "absent" if value is None else "%d bytes long" % len(value)))
        return US.unpack(value)[0]


class EchoRequest(Value):
    """A C-ECHO-RQ (PS3.7 9.3.5.1).

    :ivar message_id: 0 to 65535
    :ivar sop_class: Affected SOP Class UID; None where it is absent, which is forgiven
    """

    __slots__ = ("message_id", "sop_class")

    @classmethod
    def of(cls, command):
        """The C-ECHO-RQ that a command set is.

        :raises MessageError: where it is another command, or lacks what a C-ECHO-RQ has, or announces a data set
        """
        field = command.number(COMMAND_FIELD)
        if field != C_ECHO_RQ:
            raise MessageError("%s on Verification, which knows C-ECHO-RQ alone (PS3.7 9.1.5)" % command_name(field))
        message_id = command.number(MESSAGE_ID)
        data_set = command.number(COMMAND_DATA_SET_TYPE)
        if data_set != NO_DATA_SET:
            raise MessageError("C-ECHO-RQ with a data set: %s is %04XH, due: %04XH (PS3.7 9.3.5.1)" % (
                element_name(COMMAND_DATA_SET_TYPE), data_set, NO_DATA_SET))
        sop_class = command.value(AFFECTED_SOP_CLASS_UID)
        return cls(message_id, None if sop_class is None else unpadded(sop_class))

    @property
    def status(self):
        """The Status that it is answered with (PS3.7 9.1.5.1.4)."""
        return SUCCESS if self.sop_class in (None, VERIFICATION) else SOP_CLASS_NOT_SUPPORTED

    def encode(self):
        """The command set of the request."""
        return CommandSet([
            (AFFECTED_SOP_CLASS_UID, even(VERIFICATION if self.sop_class is None else self.sop_class)),
            (COMMAND_FIELD, US.pack(C_ECHO_RQ)),
            (MESSAGE_ID, US.pack(self.message_id)),
            (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET)),
        ]).encode()

    def response(self):
        """The command set of the C-ECHO-RSP (PS3.7 9.3.5.2). It names Verification, whatever the request named."""
        return CommandSet([
            (AFFECTED_SOP_CLASS_UID, even(VERIFICATION)),
            (COMMAND_FIELD, US.pack(C_ECHO_RSP)),
            (MESSAGE_ID_BEING_RESPONDED_TO, US.pack(self.message_id)),
            (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET)),
            (STATUS, US.pack(self.status)),
        ]).encode()


class Assembler(object):
    """Puts the fragments of command sets together (PS3.8 Annex E), in bounded memory."""

    __slots__ = ("context_id", "fragments", "size")

    def __init__(self):
        self.clear()

    def clear(self):
        """Begin a new command set."""
        self.context_id = None
        self.fragments = []
        self.size = 0

    @property
    def begun(self):
        """Whether fragments of a command set are there, and its last one is not."""
        return self.context_id is not None

    def add(self, pdv, contexts):
        """Take one PDV. Returns the bytes of the command set that it completes, or None.

        :param contexts: the accepted presentation context IDs
        :raises MessageError: where the PDV cannot be here
        """
        if pdv.context_id not in contexts:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d, due: one that was accepted (%s) "
                               "(PS3.8 9.3.5.1)" % (pdv.context_id, ", ".join("%d" % i for i in sorted(contexts))))
        if not pdv.is_command:
            raise MessageError("P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)")
        if self.begun and pdv.context_id != self.context_id:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d in the middle of a command set, due: %d "
                               "(PS3.8 E.1)" % (pdv.context_id, self.context_id))
        self.context_id = pdv.context_id
        self.fragments.append(pdv.fragment)
        self.size += max(2, len(pdv.fragment))      # so that fragments without content come to an end too
        if self.size > LARGEST_COMMAND_SET:
            raise MessageError("command set: longer than %d bytes, the most that is taken here" % LARGEST_COMMAND_SET)
        if not pdv.is_last:
            return None
        data = b"".join(self.fragments)
        self.clear()
        return data


def even(data):
    """Padded with one NUL to an even length, as a UID in a command set is (PS3.5 9.1)."""
    return data + b"\0" * (len(data) % 2)


def to_pdus(context_id, command, maximum_length):
    """The P-DATA-TF PDUs of a command set, encoded, one PDV each.

    :param maximum_length: the longest PDU-length that the peer takes, in bytes; 0: no limit
    :raises MessageError: where not even two bytes of it would fit
    """
    most = len(command)
    if maximum_length:
        if maximum_length < MINIMUM_MAXIMUM_LENGTH:
            raise MessageError("A-ASSOCIATE-RQ: Maximum-length-received is %d, due: 0 or at least %d, or nothing can "
                               "be answered (PS3.8 D.1)" % (maximum_length, MINIMUM_MAXIMUM_LENGTH))
        most = (maximum_length - PDV_OVERHEAD) // 2 * 2
    pdus = []
    for start in range(0, len(command), most):
        control = COMMAND_FRAGMENT | (LAST_FRAGMENT if start + most >= len(command) else 0)
        pdus.append(PDataTF([PDV(context_id, control, command[start:start + most])]).encode())
    return pdus


# The C-ECHO-RQ and -RSP that every toolkit sends, in which only two fields vary: byte 10 is the
# Presentation-context-ID, bytes 68-69 the Message ID.
_ECHO_RQ = to_pdus(0, EchoRequest(0, VERIFICATION).encode(), 0)[0]
_ECHO_RSP = to_pdus(0, EchoRequest(0, VERIFICATION).response(), 0)[0]
_RQ_TAIL, _RSP_TAIL = _ECHO_RQ[70:], _ECHO_RSP[70:]


class CommonEcho(object):
    """Answers the common C-ECHO-RQ on one accepted context as decoding it would, without decoding it.

    :param context_id: of the accepted presentation context
    """

    __slots__ = ("request", "response")

    LENGTH = len(_ECHO_RSP) - HEADER_LENGTH     # the PDU-length of the answer

    def __init__(self, context_id):
        varying = struct.pack("B", context_id)
        self.request = _ECHO_RQ[:10] + varying + _ECHO_RQ[11:68]
        self.response = _ECHO_RSP[:10] + varying + _ECHO_RSP[11:68]

    def answer(self, data):
        """The P-DATA-TF that answers these bytes, if they are that C-ECHO-RQ and nothing else; else None."""
        if len(data) == len(_ECHO_RQ) and data.startswith(self.request) and data.endswith(_RQ_TAIL):
            return self.response + data[68:70] + _RSP_TAIL
        return None


def _invalid(offset, field, found, due):
    return MessageError("command set: %s at byte %d is %s, due: %s (PS3.7 6.3.1)" % (field, offset, found, due))
