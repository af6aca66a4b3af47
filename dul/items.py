"""Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3) as value classes. Pure.

All begin alike: byte 0 Item-type, byte 1 reserved, bytes 2-3 Item-length (big endian: bytes that follow). Decoders
get the whole PDU and where the item's body starts and ends in it, so that an error names the byte of the PDU.
UIDs are bytes; padding that peers put around them (NULs, spaces) is taken off.
"""
import struct

from dul.codes import (
    ABSTRACT_SYNTAX, APPLICATION_CONTEXT, ASYNCHRONOUS_OPERATIONS_WINDOW, COMMON_EXTENDED_NEGOTIATION,
    EXTENDED_NEGOTIATION, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, MAXIMUM_LENGTH,
    PRESENTATION_CONTEXT_AC, PRESENTATION_CONTEXT_RQ, ROLE_SELECTION, TRANSFER_SYNTAX, USER_IDENTITY_AC,
    USER_IDENTITY_RQ, USER_INFORMATION)
from dul.errors import InvalidPDU

ITEM_HEADER = struct.Struct(">BxH")     # Item-type, Item-length
UINT16 = struct.Struct(">H")
UINT32 = struct.Struct(">I")
TWO_UINT16 = struct.Struct(">HH")


class Value(object):
    """Equal to another of its class when all that its ``__slots__`` name is equal."""

    __slots__ = ()

    def __init__(self, *values):
        for name, value in zip(self.__slots__, values):
            setattr(self, name, value)
        if len(values) != len(self.__slots__):
            raise TypeError("%s takes %s" % (type(self).__name__, ", ".join(self.__slots__)))

    def __eq__(self, other):
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__))


class Item(Value):
    """An item or sub-item: ``item_type`` names it, ``body()`` is what follows its Item-length."""

    __slots__ = ()
    item_type = None

    def encode(self):
        """The whole item.

        :raises struct.error: where the body is longer than the 65535 bytes that an Item-length can say
        """
        body = self.body()
        return ITEM_HEADER.pack(self.item_type, len(body)) + body


def unpadded(data):
    """A UID or name without the NULs and spaces that peers pad it with."""
    return data.strip(b"\0 ")


class Fields(object):
    """Reads the fields of one item's body in turn, never past its end."""

    __slots__ = ("pdu", "data", "offset", "end", "item", "section")

    def __init__(self, pdu, data, start, end, item, section):
        self.pdu = pdu
        self.data = data
        self.offset = start
        self.end = end
        self.item = item
        self.section = section

    def invalid(self, offset, field, found, due):
        """The InvalidPDU that tells of one of these fields."""
        return InvalidPDU(self.pdu, offset, "%s of %s" % (field, self.item), self.section, found, due)

    def take(self, length, field):
        """The next bytes, as many as ``length``."""
        if length > self.end - self.offset:
            raise self.invalid(self.offset, field, "cut off: %d bytes are left" % (self.end - self.offset), "%d" % length)
        start, self.offset = self.offset, self.offset + length
        return self.data[start:self.offset]

    def number(self, field):
        """An unsigned integer of one byte."""
        return ord(self.take(1, field))

    def counted(self, field):
        """The bytes that a 2-byte length announces."""
        length = UINT16.unpack(self.take(2, field + "-length"))[0]
        if length > self.end - self.offset:
            raise self.invalid(self.offset - 2, field + "-length", "%d" % length, "at most %d" % (self.end - self.offset))
        return self.take(length, field)

    def rest(self):
        """All that is left."""
        return self.take(self.end - self.offset, "")

    def finish(self):
        """Nothing may be left."""
        if self.offset != self.end:
            raise self.invalid(self.offset, "end", "%d bytes further" % (self.end - self.offset), "here")


def each_item(pdu, data, offset, end, container, section):
    """Yield (Item-type, start of its body, end of its body) for each item from ``offset`` to ``end``.

    :raises InvalidPDU: where an item does not fit what is left of its container
    """
    while offset < end:
        body = offset + 4
        if body > end:
            raise InvalidPDU(pdu, offset, "Item-type and Item-length in " + container, section,
                             "cut off: %d bytes are left" % (end - offset), "4")
        item_type, length = ITEM_HEADER.unpack_from(data, offset)
        if length > end - body:
            raise InvalidPDU(pdu, offset + 2, "Item-length of item %02XH in %s" % (item_type, container), section,
                             "%d" % length, "at most %d" % (end - body))
        offset = body + length
        yield item_type, body, offset


class UnknownItem(Value):
    """An item of a type that this edition does not know: skipped (PS3.8 9.3.1), and written back as it was."""

    __slots__ = ("item_type", "data")

    def encode(self):
        """The whole item."""
        return ITEM_HEADER.pack(self.item_type, len(self.data)) + self.data


class ApplicationContext(Item):
    """10H (PS3.8 9.3.2.1)."""

    __slots__ = ("name",)
    item_type = APPLICATION_CONTEXT

    def body(self):
        """Bytes 5-xxx: the Application-context-name."""
        return self.name

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        return cls(unpadded(data[start:end]))


class PresentationContextRQ(Item):
    """20H, proposed (PS3.8 9.3.2.2).

    :ivar context_id: odd, 1 to 255; any byte is decoded
    :ivar abstract_syntax: UID
    :ivar transfer_syntaxes: list of UIDs, one at least
    """

    __slots__ = ("context_id", "abstract_syntax", "transfer_syntaxes")
    item_type = PRESENTATION_CONTEXT_RQ

    def body(self):
        """Byte 5 Presentation-context-ID, 6-8 reserved, then one 30H and the 40H."""
        return (struct.pack(">B3x", self.context_id) + _uid_item(ABSTRACT_SYNTAX, self.abstract_syntax)
                + b"".join([_uid_item(TRANSFER_SYNTAX, uid) for uid in self.transfer_syntaxes]))

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: unless there are four bytes, one 30H and at least one 40H
        """
        if end - start < 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Presentation Context", "9.3.2.2", "%d" % (end - start),
                             "at least 4")
        abstract_syntaxes, transfer_syntaxes = [], []
        for item_type, body, after in each_item(pdu, data, start + 4, end, "Presentation Context", "9.3.2.2"):
            if item_type == TRANSFER_SYNTAX:
                transfer_syntaxes.append(unpadded(data[body:after]))
            elif item_type == ABSTRACT_SYNTAX:
                abstract_syntaxes.append(unpadded(data[body:after]))
        if len(abstract_syntaxes) != 1:
            raise InvalidPDU(pdu, start, "number of Abstract Syntax sub-items (30H) of Presentation Context", "9.3.2.2",
                             "%d" % len(abstract_syntaxes), "1")
        if not transfer_syntaxes:
            raise InvalidPDU(pdu, start, "number of Transfer Syntax sub-items (40H) of Presentation Context", "9.3.2.2",
                             "0", "at least 1")
        return cls(ord(data[start:start + 1]), abstract_syntaxes[0], transfer_syntaxes)


class PresentationContextAC(Item):
    """21H, the answer to a proposed context (PS3.8 9.3.3.2).

    :ivar result: 0 to 4, see CONTEXT_RESULTS
    :ivar transfer_syntax: UID; None where it is absent, which some peers do in a refused context
    """

    __slots__ = ("context_id", "result", "transfer_syntax")
    item_type = PRESENTATION_CONTEXT_AC

    def body(self):
        """Byte 5 Presentation-context-ID, 6 reserved, 7 Result/Reason, 8 reserved, then one 40H."""
        head = struct.pack(">BxBx", self.context_id, self.result)
        return head if self.transfer_syntax is None else head + _uid_item(TRANSFER_SYNTAX, self.transfer_syntax)

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: with fewer than four bytes
        """
        if end - start < 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Presentation Context", "9.3.3.2", "%d" % (end - start),
                             "at least 4")
        transfer_syntax = None
        for item_type, body, after in each_item(pdu, data, start + 4, end, "Presentation Context", "9.3.3.2"):
            if item_type == TRANSFER_SYNTAX and transfer_syntax is None:
                transfer_syntax = unpadded(data[body:after])
        return cls(ord(data[start:start + 1]), ord(data[start + 2:start + 3]), transfer_syntax)


class UserInformation(Item):
    """50H (PS3.8 9.3.2.3): the list of its sub-items, in the order in which they stand."""

    __slots__ = ("sub_items",)
    item_type = USER_INFORMATION

    def body(self):
        """The sub-items, back to back."""
        return b"".join([item.encode() for item in self.sub_items])

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: where a sub-item does not fit, or its content does not fit it
        """
        return cls(decode_items(SUB_ITEMS, pdu, data, start, end, "User Information", "9.3.2.3"))


class MaximumLength(Item):
    """51H (PS3.8 D.1): the longest PDU-length of a P-DATA-TF that the sender takes, in bytes; 0: no limit."""

    __slots__ = ("length",)
    item_type = MAXIMUM_LENGTH

    def body(self):
        """Bytes 5-8 Maximum-length-received."""
        return UINT32.pack(self.length)

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        if end - start != 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Maximum Length", "D.1.1", "%d" % (end - start), "4")
        return cls(UINT32.unpack_from(data, start)[0])


class ImplementationClassUID(Item):
    """52H (PS3.7 D.3.3.2)."""

    __slots__ = ("uid",)
    item_type = IMPLEMENTATION_CLASS_UID

    def body(self):
        """Bytes 5-xxx: the UID."""
        return self.uid

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        return cls(unpadded(data[start:end]))


class AsynchronousOperationsWindow(Item):
    """53H (PS3.7 D.3.3.3): how many operations may be outstanding each way; 0: no limit."""

    __slots__ = ("invoked", "performed")
    item_type = ASYNCHRONOUS_OPERATIONS_WINDOW

    def body(self):
        """Bytes 5-6 invoked, 7-8 performed."""
        return TWO_UINT16.pack(self.invoked, self.performed)

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        if end - start != 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Asynchronous Operations Window", "PS3.7 D.3.3.3",
                             "%d" % (end - start), "4")
        return cls(*TWO_UINT16.unpack_from(data, start))


class RoleSelection(Item):
    """54H (PS3.7 D.3.3.4): the roles proposed for one SOP class, 0 or 1 each."""

    __slots__ = ("sop_class", "scu_role", "scp_role")
    item_type = ROLE_SELECTION

    def body(self):
        """Bytes 5-6 UID-length, the UID, SCU role, SCP role."""
        return _counted(self.sop_class) + struct.pack("BB", self.scu_role, self.scp_role)

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        fields = Fields(pdu, data, start, end, "SCP/SCU Role Selection", "PS3.7 D.3.3.4")
        item = cls(unpadded(fields.counted("UID")), fields.number("SCU-role"), fields.number("SCP-role"))
        fields.finish()
        return item


class ImplementationVersionName(Item):
    """55H (PS3.7 D.3.3.2.3): 1 to 16 characters of ISO 646."""

    __slots__ = ("name",)
    item_type = IMPLEMENTATION_VERSION_NAME

    def body(self):
        """Bytes 5-xxx: the name."""
        return self.name

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        return cls(unpadded(data[start:end]))


class ExtendedNegotiation(Item):
    """56H (PS3.7 D.3.3.5): information that one service class defines for itself."""

    __slots__ = ("sop_class", "information")
    item_type = EXTENDED_NEGOTIATION

    def body(self):
        """Bytes 5-6 SOP-class-UID-length, the UID, the information."""
        return _counted(self.sop_class) + self.information

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        fields = Fields(pdu, data, start, end, "SOP Class Extended Negotiation", "PS3.7 D.3.3.5")
        return cls(unpadded(fields.counted("SOP-class-UID")), fields.rest())


class CommonExtendedNegotiation(Item):
    """57H (PS3.7 D.3.3.6): a SOP class, its service class, and the general SOP classes that it is related to."""

    __slots__ = ("version", "sop_class", "service_class", "related")
    item_type = COMMON_EXTENDED_NEGOTIATION

    def body(self):
        """Two counted UIDs and the counted list of counted UIDs."""
        related = b"".join([_counted(uid) for uid in self.related])
        return _counted(self.sop_class) + _counted(self.service_class) + _counted(related)

    def encode(self):
        """The whole item; its byte 2 is the sub-item's version, not reserved."""
        body = self.body()
        return struct.pack(">BBH", self.item_type, self.version, len(body)) + body

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item; what follows the list is reserved for later versions."""
        fields = Fields(pdu, data, start, end, "SOP Class Common Extended Negotiation", "PS3.7 D.3.3.6")
        sop_class = unpadded(fields.counted("SOP-class-UID"))
        service_class = unpadded(fields.counted("Service-class-UID"))
        length = len(fields.counted("Related-general-sop-class-identification"))
        listed = Fields(pdu, data, fields.offset - length, fields.offset, fields.item, "PS3.7 D.3.3.6")
        related = []
        while listed.offset < listed.end:
            related.append(unpadded(listed.counted("Related-general-sop-class-UID")))
        return cls(ord(data[start - 3:start - 2]), sop_class, service_class, related)


class UserIdentityRQ(Item):
    """58H (PS3.7 D.3.3.7.1). The fields hold secrets: they are never logged.

    :ivar identity_type: 1 user name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JSON Web Token
    :ivar positive_response_requested: 0 or 1
    """

    __slots__ = ("identity_type", "positive_response_requested", "primary", "secondary")
    item_type = USER_IDENTITY_RQ

    def body(self):
        """Byte 5 type, 6 positive response requested, then two counted fields."""
        return (struct.pack("BB", self.identity_type, self.positive_response_requested)
                + _counted(self.primary) + _counted(self.secondary))

    def __repr__(self):
        return "UserIdentityRQ(identity_type=%r)" % self.identity_type

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        fields = Fields(pdu, data, start, end, "User Identity", "PS3.7 D.3.3.7")
        item = cls(fields.number("User-Identity-Type"), fields.number("Positive-response-requested"),
                   fields.counted("Primary-field"), fields.counted("Secondary-field"))
        fields.finish()
        return item


class UserIdentityAC(Item):
    """59H (PS3.7 D.3.3.7.2). The response may be a secret: it is never logged."""

    __slots__ = ("response",)
    item_type = USER_IDENTITY_AC

    def body(self):
        """The counted server response."""
        return _counted(self.response)

    def __repr__(self):
        return "UserIdentityAC()"

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        fields = Fields(pdu, data, start, end, "User Identity", "PS3.7 D.3.3.7")
        item = cls(fields.counted("Server-response"))
        fields.finish()
        return item


SUB_ITEMS = {item.item_type: item for item in (
    MaximumLength, ImplementationClassUID, AsynchronousOperationsWindow, RoleSelection, ImplementationVersionName,
    ExtendedNegotiation, CommonExtendedNegotiation, UserIdentityRQ, UserIdentityAC)}


def decode_items(known, pdu, data, offset, end, container, section):
    """The list of items from ``offset`` to ``end`` of a PDU; those of no ``known`` type as UnknownItem."""
    items = []
    for item_type, body, after in each_item(pdu, data, offset, end, container, section):
        item = known.get(item_type)
        items.append(UnknownItem(item_type, data[body:after]) if item is None else item.decode(pdu, data, body, after))
    return items


def _uid_item(item_type, uid):
    return ITEM_HEADER.pack(item_type, len(uid)) + uid


def _counted(data):
    return UINT16.pack(len(data)) + data
