"""Command sets, their fragments, C-ECHO request and response (PS3.7 6.3, 9.1.5, 9.3.5; PS3.8 Annex E)."""
import struct

from dul.codes import (
    AFFECTED_SOP_CLASS_UID, C_ECHO_RQ, C_ECHO_RSP, COMMAND_DATA_SET_TYPE, COMMAND_FIELD, COMMAND_FRAGMENT,
    COMMAND_GROUP_LENGTH, LARGEST_COMMAND_SET, LAST_FRAGMENT, MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO,
    MINIMUM_MAXIMUM_LENGTH, NO_DATA_SET, PDV_OVERHEAD, SOP_CLASS_NOT_SUPPORTED, STATUS, SUCCESS, UID_LENGTH,
    VERIFICATION)
from dul.errors import MessageError
from dul.items import unpadded
from dul.pdu import decode_p_data, encode_p_data
from dul.text import counted
from dul.words import STATUS_NAMES, command_name, element_name, uid_name

ELEMENT_HEADER = struct.Struct("<HHI")      # group, element, value length: always Implicit VR Little Endian
US = struct.Struct("<H")
MOST_ECHOES = 16            # remembered for one Decision on an A-ASSOCIATE-RQ


def decode_command(data):
    """{element number in group 0000: bytes} of a command set, without its length. Raises MessageError if broken."""
    command, offset, end = {}, 0, len(data)
    while offset < end:
        if end - offset < ELEMENT_HEADER.size:
            raise _invalid(offset, "element", "cut off: %s left" % counted(end - offset, "byte"), "8 bytes at least")
        group, element, length = ELEMENT_HEADER.unpack_from(data, offset)
        if group:
            raise _invalid(offset, "group", "%04XH" % group, "0000H")
        if element in command:
            raise _invalid(offset, element_name(element), "there a second time", "once at most")
        offset += ELEMENT_HEADER.size
        if length > end - offset:
            raise _invalid(offset - 4, "Value Length of " + element_name(element), "%d" % length,
                           "at most %d" % (end - offset))
        command[element] = data[offset:offset + length]
        offset += length
    command.pop(COMMAND_GROUP_LENGTH, None)
    return command


def encode_command(elements):
    """A whole command set of ascending (element number in group 0000, bytes), with its Command Group Length."""
    body = b"".join([ELEMENT_HEADER.pack(0, element, len(value)) + value for element, value in elements])
    return ELEMENT_HEADER.pack(0, COMMAND_GROUP_LENGTH, 4) + struct.pack("<I", len(body)) + body


def number_of(command, element):
    """The value of an element of VR US. Raises MessageError where it is absent, or not two bytes long."""
    value = command.get(element)
    if value is None or len(value) != US.size:
        raise MessageError("command set: %s is %s, due: 2 bytes (PS3.7 E.1)" % (
            element_name(element), "absent" if value is None else "%d bytes long" % len(value)))
    return US.unpack(value)[0]


def echo_command(field, id_element, message_id, sop_class, *more):
    """The command set of a C-ECHO-RQ or -RSP (PS3.7 9.3.5). ``id_element``: the number of the Message ID's element."""
    return encode_command([
        (AFFECTED_SOP_CLASS_UID, sop_class + b"\0" * (len(sop_class) % 2)),     # even length (PS3.5 9.1)
        (COMMAND_FIELD, US.pack(field)), (id_element, US.pack(message_id)),
        (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET))] + list(more))


def to_pdus(context_id, command, maximum_length):
    """The P-DATA-TF PDUs of a command set, encoded, one PDV each. Raises MessageError where nothing would fit in one.

    :param maximum_length: the longest PDU-length that the peer takes, in bytes; 0: no limit
    """
    most = len(command)
    if maximum_length:
        if maximum_length < MINIMUM_MAXIMUM_LENGTH:
            raise MessageError("A-ASSOCIATE-RQ: Maximum-length-received is %d, due: 0 or at least %d, or nothing can "
                               "be answered (PS3.8 D.1)" % (maximum_length, MINIMUM_MAXIMUM_LENGTH))
        most = (maximum_length - PDV_OVERHEAD) // 2 * 2
    return [encode_p_data(context_id, COMMAND_FRAGMENT | (LAST_FRAGMENT if start + most >= len(command) else 0),
                          command[start:start + most]) for start in range(0, len(command), most)]


def common_request(context_id, message_id):
    """The P-DATA-TF with a whole C-ECHO-RQ as most SCUs send it."""
    return to_pdus(context_id, echo_command(C_ECHO_RQ, MESSAGE_ID, message_id, VERIFICATION), 0)[0]


class Echo(object):
    """A C-ECHO-RQ (PS3.7 9.3.5.1), decoded from its command set, and its answer.

    :param maximum_length: as in to_pdus()
    :raises MessageError: where it is another command, lacks what a C-ECHO-RQ has, or announces a data set
    :ivar sop_class: Affected SOP Class UID; Verification where it is absent, which is tolerated
    :ivar status: the Status that it is answered with (PS3.7 9.1.5.1.4); ``refusal``: why, where that is not Success
    :ivar response: the command set of the C-ECHO-RSP; it names the SOP class of the request (PS3.7 9.1.5)
    """

    def __init__(self, context_id, command, maximum_length):
        self.context_id, self.command = context_id, command
        elements = decode_command(command)
        field = number_of(elements, COMMAND_FIELD)
        if field != C_ECHO_RQ:
            raise MessageError("%s on Verification, which has C-ECHO-RQ alone (PS3.7 9.1.5)" % command_name(field))
        self.message_id = number_of(elements, MESSAGE_ID)
        data_set = number_of(elements, COMMAND_DATA_SET_TYPE)
        if data_set != NO_DATA_SET:
            raise MessageError("C-ECHO-RQ with a data set: %s is %04XH, due: %04XH (PS3.7 9.3.5.1)" % (
                element_name(COMMAND_DATA_SET_TYPE), data_set, NO_DATA_SET))
        self.sop_class = unpadded(elements.get(AFFECTED_SOP_CLASS_UID, VERIFICATION))
        if len(self.sop_class) > UID_LENGTH:
            raise MessageError("command set: Affected SOP Class UID is %d bytes long, due: at most %d (PS3.5 9.1)" % (
                len(self.sop_class), UID_LENGTH))
        self.status = SUCCESS if self.sop_class == VERIFICATION else SOP_CLASS_NOT_SUPPORTED
        self.refusal = "" if self.status == SUCCESS else (
            "C-ECHO-RQ for %s, not for Verification: answered with status %04XH, %s (PS3.7 9.1.5)" % (
                uid_name(self.sop_class), self.status, STATUS_NAMES[self.status]))
        self.response = echo_command(C_ECHO_RSP, MESSAGE_ID_BEING_RESPONDED_TO, self.message_id, self.sop_class,
                                     (STATUS, US.pack(self.status)))
        self.pdus = to_pdus(context_id, self.response, maximum_length)


class EchoService(object):
    """The DIMSE service of one association: P-DATA-TF in, C-ECHO-RSP out. Fragments are kept in bounded memory.

    :param contexts: the IDs of the accepted presentation contexts; ``maximum_length``: as in to_pdus()
    :param remembered: {P-DATA-TF: its Echo, in a tuple} for all associations with the same contexts and length: the same
        bytes have the same answer. Only the common C-ECHO-RQ is kept, of which a peer chooses two numbers, MOST_ECHOES times.
    """

    __slots__ = ("contexts", "maximum_length", "remembered", "context_id", "fragments", "size")

    def __init__(self, contexts, maximum_length, remembered):
        self.contexts = contexts
        self.maximum_length = maximum_length
        self.remembered = remembered
        self.context_id, self.fragments, self.size = None, bytearray(), 0     # of the command set that has begun

    def receive(self, data):
        """The Echoes that a whole P-DATA-TF completes, to be gone through once. Raises InvalidPDU where it is broken;
        going through them, MessageError where a message, or a PDV of it, cannot be answered."""
        echoes = self.remembered.get(data)
        if echoes is None or self.context_id is not None:
            return self._echoes(data, decode_p_data(data))
        return echoes

    def _echoes(self, data, pdvs):
        whole = self.context_id is None     # no command set has begun before this PDU
        for pdv in pdvs:
            command = self.add(pdv)
            if command is not None:
                try:
                    echo = Echo(pdv.context_id, command, self.maximum_length)
                except MessageError as error:
                    error.unanswered = pdv.context_id, command
                    raise
                if whole and data == common_request(pdv.context_id, echo.message_id):
                    if len(self.remembered) >= MOST_ECHOES:
                        self.remembered.clear()
                    self.remembered[data] = (echo,)
                yield echo

    def add(self, pdv):
        """The command set that a PDV completes (PS3.8 Annex E), or None. Raises MessageError where none is due."""
        if pdv.context_id not in self.contexts:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d, due: one that was accepted (%s) "
                               "(PS3.8 9.3.5.1)" % (pdv.context_id, ", ".join(["%d" % each for each in self.contexts])))
        if not pdv.control & COMMAND_FRAGMENT:
            raise MessageError("P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)")
        if self.context_id not in (None, pdv.context_id):
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d in the middle of a command set, due: %d "
                               "(PS3.8 E.1)" % (pdv.context_id, self.context_id))
        self.context_id = pdv.context_id
        self.fragments += pdv.fragment      # not a list: small objects take many times the memory of their bytes
        self.size += max(2, len(pdv.fragment))      # at least 2, or empty fragments could go on for ever
        if self.size > LARGEST_COMMAND_SET:
            raise MessageError("command set: longer than %d bytes, the most that is taken here" % LARGEST_COMMAND_SET)
        if not pdv.control & LAST_FRAGMENT:
            return None
        command = bytes(self.fragments)
        self.context_id, self.fragments, self.size = None, bytearray(), 0
        return command


def _invalid(offset, field, found, due):
    return MessageError("command set: %s at byte %d is %s, due: %s (PS3.7 6.3.1)" % (field, offset, found, due))
