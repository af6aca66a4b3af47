"""The seven PDUs of PS3.8 9.3 as value classes: ``decode(bytes)`` and ``encode()``. Pure.

All begin alike: byte 1 PDU-type, byte 2 reserved, bytes 3-6 PDU-length (big endian: bytes that follow). Byte numbers
in comments count from 1, as the standard does; offsets in errors count from 0.
"""
import struct

from dul.codes import (
    A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, ABORT_UNRECOGNIZED_PDU,
    COMMAND_FRAGMENT, FIXED_LENGTH, HEADER_LENGTH, LARGEST_RQ, LAST_FRAGMENT, MOST_CONTEXTS, P_DATA_TF, PDU_NAMES,
    PDU_SECTIONS, PDV_OVERHEAD, SHORT_LENGTH)
from dul.errors import InvalidPDU
from dul.items import (
    ApplicationContext, PresentationContextAC, PresentationContextRQ, UserInformation, Value, decode_items)

PDU_HEADER = struct.Struct(">BxI")          # PDU-type, PDU-length
_FIXED = struct.Struct(">H2x16s16s32s")     # Protocol-version, Called- and Calling-AE-title, reserved
_SHORT = struct.Struct(">BxI4B")
_PDV = struct.Struct(">IBB")                # Item-length, Presentation-context-ID, message control header


def check_header(pdu_type, length, maximum_length=0):
    """Judge a PDU by its first six bytes alone, before any more of it is read.

    :param maximum_length: the PDU-length that a P-DATA-TF may have at most, in bytes; 0: no limit
    :raises InvalidPDU: for a PDU-type that is none, and for a PDU-length that its type cannot have
    """
    if pdu_type == P_DATA_TF:
        least, most = PDV_OVERHEAD, maximum_length or length
    elif pdu_type in (A_ASSOCIATE_RQ, A_ASSOCIATE_AC):
        least, most = FIXED_LENGTH, LARGEST_RQ
    elif pdu_type in PDU_NAMES:
        least = most = SHORT_LENGTH
    else:
        raise InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "%02XH" % pdu_type, "01H to 07H", ABORT_UNRECOGNIZED_PDU)
    if not least <= length <= most:
        due = "%d" % least if least == most else "at least %d" % least if length < least else "at most %d" % most
        raise InvalidPDU(PDU_NAMES[pdu_type], 2, "PDU-length", PDU_SECTIONS[pdu_type], "%d" % length, due)


class PDU(Value):
    """A PDU; ``pdu_type`` is its first byte."""

    __slots__ = ()
    pdu_type = None

    @classmethod
    def name(cls):
        """As the standard writes it."""
        return PDU_NAMES[cls.pdu_type]

    @classmethod
    def check(cls, data):
        """That the header is this PDU's, and that its PDU-length tells how many bytes follow.

        :raises InvalidPDU: where it does not
        """
        if len(data) < HEADER_LENGTH:
            raise InvalidPDU(cls.name(), len(data), "end", "9.3.1", "here", "%d bytes at least" % HEADER_LENGTH)
        pdu_type, length = PDU_HEADER.unpack_from(data)
        if pdu_type != cls.pdu_type:
            raise InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "%02XH" % pdu_type, "%02XH" % cls.pdu_type)
        check_header(pdu_type, length)
        if length != len(data) - HEADER_LENGTH:
            raise InvalidPDU(cls.name(), 2, "PDU-length", PDU_SECTIONS[pdu_type], "%d" % length,
                             "%d" % (len(data) - HEADER_LENGTH))


class _AAssociate(PDU):
    """What A-ASSOCIATE-RQ and -AC have in common.

    :ivar protocol_version: bit field
    :ivar called: Called-AE-title, the 16 bytes as they stand; in an AC a copy of the RQ's, as the next two
    :ivar calling: Calling-AE-title, likewise
    :ivar reserved: 32 bytes
    :ivar items: the variable items, in the order in which they stand
    """

    __slots__ = ("protocol_version", "called", "calling", "reserved", "items")
    known_items = {}
    context = None

    def encode(self):
        """The whole PDU."""
        items = b"".join([item.encode() for item in self.items])
        return (PDU_HEADER.pack(self.pdu_type, FIXED_LENGTH + len(items))                      # 1-6
                + _FIXED.pack(self.protocol_version, self.called, self.calling, self.reserved)  # 7-74
                + items)                                                                        # 75-xxx

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: where a length or a count is wrong
        """
        cls.check(data)
        version, called, calling, reserved = _FIXED.unpack_from(data, HEADER_LENGTH)
        return cls(version, called, calling, reserved, decode_items(
            cls.known_items, cls.name(), data, HEADER_LENGTH + FIXED_LENGTH, len(data), cls.name(),
            PDU_SECTIONS[cls.pdu_type]))

    @property
    def application_context(self):
        """The Application-context-name, or None where there is none."""
        for item in self.items:
            if type(item) is ApplicationContext:
                return item.name
        return None

    @property
    def presentation_contexts(self):
        """The presentation contexts, in their order."""
        return [item for item in self.items if type(item) is self.context]

    @property
    def user_information(self):
        """The user information sub-items, in their order."""
        return [sub for item in self.items if type(item) is UserInformation for sub in item.sub_items]

    def first(self, kind):
        """The first user information sub-item of this class, or None."""
        for item in self.user_information:
            if type(item) is kind:
                return item
        return None


class AAssociateRQ(_AAssociate):
    """01H (PS3.8 9.3.2)."""

    pdu_type = A_ASSOCIATE_RQ
    known_items = {item.item_type: item for item in (ApplicationContext, PresentationContextRQ, UserInformation)}
    context = PresentationContextRQ

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: where a length or a count is wrong
        """
        request = super(AAssociateRQ, cls).decode(data)
        if len(request.presentation_contexts) > MOST_CONTEXTS:
            raise InvalidPDU(cls.name(), HEADER_LENGTH + FIXED_LENGTH, "number of Presentation Context items (20H)",
                             "9.3.2", "%d" % len(request.presentation_contexts), "at most %d" % MOST_CONTEXTS)
        return request


class AAssociateAC(_AAssociate):
    """02H (PS3.8 9.3.3)."""

    pdu_type = A_ASSOCIATE_AC
    known_items = {item.item_type: item for item in (ApplicationContext, PresentationContextAC, UserInformation)}
    context = PresentationContextAC


class _Short(PDU):
    """A PDU of ten bytes."""

    __slots__ = ()

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU; reserved bytes are not tested.

        :raises InvalidPDU: where it is not ten bytes long, or not this PDU
        """
        cls.check(data)
        return cls(*_SHORT.unpack(data)[6 - len(cls.__slots__):])

    def encode(self):
        """The whole PDU: the last bytes are the fields, those before them reserved."""
        values = [getattr(self, name) for name in self.__slots__]
        return _SHORT.pack(self.pdu_type, SHORT_LENGTH, *([0] * (SHORT_LENGTH - len(values)) + values))


class AAssociateRJ(_Short):
    """03H (PS3.8 9.3.4). Byte 8 Result, 9 Source, 10 Reason/Diag."""

    __slots__ = ("result", "source", "reason")
    pdu_type = A_ASSOCIATE_RJ


class AReleaseRQ(_Short):
    """05H (PS3.8 9.3.6)."""

    __slots__ = ()
    pdu_type = A_RELEASE_RQ


class AReleaseRP(_Short):
    """06H (PS3.8 9.3.7)."""

    __slots__ = ()
    pdu_type = A_RELEASE_RP


class AAbort(_Short):
    """07H (PS3.8 9.3.8). Byte 9 Source, 10 Reason/Diag."""

    __slots__ = ("source", "reason")
    pdu_type = A_ABORT


class PDV(Value):
    """A presentation data value item (PS3.8 9.3.5.1, Annex E).

    :ivar context_id: 0 to 255
    :ivar control: message control header; only bits 0 (command) and 1 (last fragment) mean anything
    :ivar fragment: bytes of a command set or of a data set
    """

    __slots__ = ("context_id", "control", "fragment")

    @property
    def is_command(self):
        """Whether the fragment belongs to a command set (else to a data set)."""
        return bool(self.control & COMMAND_FRAGMENT)

    @property
    def is_last(self):
        """Whether it is the last fragment of its command set or data set."""
        return bool(self.control & LAST_FRAGMENT)

    def encode(self):
        """The whole item: bytes 1-4 Item-length, 5 Presentation-context-ID, 6 control header, then the fragment."""
        return _PDV.pack(len(self.fragment) + 2, self.context_id, self.control) + self.fragment


class PDataTF(PDU):
    """04H (PS3.8 9.3.5): one PDV or more."""

    __slots__ = ("pdvs",)
    pdu_type = P_DATA_TF

    def encode(self):
        """The whole PDU."""
        pdvs = b"".join([pdv.encode() for pdv in self.pdvs])
        return PDU_HEADER.pack(P_DATA_TF, len(pdvs)) + pdvs

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: unless one PDV or more fill it exactly
        """
        cls.check(data)
        pdvs, offset, end = [], HEADER_LENGTH, len(data)
        while offset < end:
            if end - offset < PDV_OVERHEAD:
                raise InvalidPDU("P-DATA-TF", offset, "PDV item", "9.3.5.1",
                                 "cut off: %d bytes are left" % (end - offset), "%d at least" % PDV_OVERHEAD)
            length, context_id, control = _PDV.unpack_from(data, offset)
            if not 2 <= length <= end - offset - 4:
                raise InvalidPDU("P-DATA-TF", offset, "Item-length of PDV item", "9.3.5.1", "%d" % length,
                                 "2 to %d" % (end - offset - 4))
            pdvs.append(PDV(context_id, control, data[offset + PDV_OVERHEAD:offset + 4 + length]))
            offset += 4 + length
        return cls(pdvs)


PDUS = {pdu.pdu_type: pdu for pdu in (
    AAssociateRQ, AAssociateAC, AAssociateRJ, PDataTF, AReleaseRQ, AReleaseRP, AAbort)}


def decode_pdu(data):
    """The PDU of any type that these bytes are, whole.

    :raises InvalidPDU: where they are none
    """
    if len(data) < HEADER_LENGTH:
        raise InvalidPDU("PDU", len(data), "end", "9.3.1", "here", "%d bytes at least" % HEADER_LENGTH)
    check_header(*PDU_HEADER.unpack_from(data))
    return PDUS[ord(data[:1])].decode(data)
