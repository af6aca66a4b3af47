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
NUMBERS = {"byte": struct.Struct("B"), "uint16": UINT16, "uint32": struct.Struct(">I")}


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

    __slots__ = ("pdu", "data", "start", "offset", "end", "item", "section")

    def __init__(self, pdu, data, start, end, item, section):
        self.pdu = pdu
        self.data = data
        self.start = self.offset = start
        self.end = end
        self.item = item
        self.section = section

    def read(self, name, kind):
        """The next field; see SubItem for the kinds.

        :raises InvalidPDU: where it does not fit what is left of the item
        """
        if kind in NUMBERS:
            number = NUMBERS[kind]
            return number.unpack(self.take(number.size, name))[0]
        if kind == "byte-2":
            return ord(self.data[self.start - 3:self.start - 2])
        if kind == "rest":
            return self.take(self.end - self.offset, name)
        length = UINT16.unpack(self.take(2, name + "-length"))[0]
        if length > self.end - self.offset:
            raise self.invalid(self.offset - 2, name + "-length", "%d" % length,
                               "at most %d" % (self.end - self.offset))
        if kind == "counted-uids":
            listed = Fields(self.pdu, self.data, self.offset, self.offset + length, self.item, self.section)
            self.offset += length
            return listed.until_end(name)
        data = self.take(length, name)
        return unpadded(data) if kind == "counted-uid" else data

    def until_end(self, name):
        """Counted UIDs up to the end."""
        uids = []
        while self.offset < self.end:
            uids.append(self.read(name, "counted-uid"))
        return uids

    def take(self, length, name):
        """The next bytes, as many as ``length``."""
        left = self.end - self.offset
        if length > left:
            raise self.invalid(self.offset, name, "cut off: %d bytes are left" % left, "%d" % length)
        self.offset += length
        return self.data[self.offset - length:self.offset]

    def finish(self):
        """Nothing may be left.

        :raises InvalidPDU: where something is
        """
        if self.offset != self.end:
            raise self.invalid(self.start - 2, "Item-length", "%d" % (self.end - self.start),
                               "%d" % (self.offset - self.start))

    def invalid(self, offset, name, found, due):
        """The InvalidPDU that tells of one of these fields."""
        return InvalidPDU(self.pdu, offset, "%s of %s" % (name, self.item), self.section, found, due)


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


class SubItem(Item):
    """A user information sub-item: its ``layout`` names the fields of its body as the standard does, and their kinds.

    The kinds: ``byte``, ``uint16`` and ``uint32`` (big endian), ``counted`` (a 2-byte length and as many bytes),
    ``counted-uid``, ``counted-uids`` (a 2-byte length and as many bytes of counted UIDs), ``uid`` and ``rest`` (all
    that is left), and ``byte-2``, the second byte of the item.
    """

    __slots__ = ()
    name_of_item = ""
    section = ""
    layout = ""

    @classmethod
    def fields(cls):
        """(name in the standard, kind) of each field."""
        return [field.split(":") for field in cls.layout.split()]

    def body(self):
        """The fields, back to back."""
        return b"".join([_field_bytes(kind, getattr(self, slot))
                         for slot, (_, kind) in zip(self.__slots__, self.fields())])

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: where the fields do not fill it exactly
        """
        if cls.layout.endswith(":uid"):     # one field: the common case needs no reader
            return cls(unpadded(data[start:end]))
        fields = Fields(pdu, data, start, end, cls.name_of_item, cls.section)
        item = cls(*[fields.read(name, kind) for name, kind in cls.fields()])
        fields.finish()
        return item


class MaximumLength(SubItem):
    """51H: the longest PDU-length of a P-DATA-TF that the sender takes, in bytes; 0: no limit."""

    __slots__ = ("length",)
    item_type = MAXIMUM_LENGTH
    name_of_item, section = "Maximum Length", "D.1.1"
    layout = "Maximum-length-received:uint32"


class ImplementationClassUID(SubItem):
    """52H."""

    __slots__ = ("uid",)
    item_type = IMPLEMENTATION_CLASS_UID
    name_of_item, section = "Implementation Class UID", "PS3.7 D.3.3.2"
    layout = "Implementation-class-uid:uid"


class AsynchronousOperationsWindow(SubItem):
    """53H: how many operations may be outstanding each way; 0: no limit."""

    __slots__ = ("invoked", "performed")
    item_type = ASYNCHRONOUS_OPERATIONS_WINDOW
    name_of_item, section = "Asynchronous Operations Window", "PS3.7 D.3.3.3"
    layout = "Maximum-number-operations-invoked:uint16 Maximum-number-operations-performed:uint16"


class RoleSelection(SubItem):
    """54H: the roles proposed for one SOP class, 0 or 1 each."""

    __slots__ = ("sop_class", "scu_role", "scp_role")
    item_type = ROLE_SELECTION
    name_of_item, section = "SCP/SCU Role Selection", "PS3.7 D.3.3.4"
    layout = "SOP-class-UID:counted-uid SCU-role:byte SCP-role:byte"


class ImplementationVersionName(SubItem):
    """55H: 1 to 16 characters of ISO 646."""

    __slots__ = ("name",)
    item_type = IMPLEMENTATION_VERSION_NAME
    name_of_item, section = "Implementation Version Name", "PS3.7 D.3.3.2"
    layout = "Implementation-version-name:uid"


class ExtendedNegotiation(SubItem):
    """56H: information that one service class defines for itself."""

    __slots__ = ("sop_class", "information")
    item_type = EXTENDED_NEGOTIATION
    name_of_item, section = "SOP Class Extended Negotiation", "PS3.7 D.3.3.5"
    layout = "SOP-class-UID:counted-uid Service-class-application-information:rest"


class CommonExtendedNegotiation(SubItem):
    """57H: a SOP class, its service class, and the general SOP classes that it is related to.

    :ivar reserved: what follows them, kept for later versions of the sub-item
    :ivar version: byte 2 of the item, which is reserved in all others
    """

    __slots__ = ("sop_class", "service_class", "related", "reserved", "version")
    item_type = COMMON_EXTENDED_NEGOTIATION
    name_of_item, section = "SOP Class Common Extended Negotiation", "PS3.7 D.3.3.6"
    layout = ("SOP-class-UID:counted-uid Service-class-UID:counted-uid "
              "Related-general-sop-class-UID:counted-uids Reserved:rest Sub-item-version:byte-2")

    def encode(self):
        """The whole item; its byte 2 is the version."""
        body = self.body()
        return struct.pack(">BBH", self.item_type, self.version, len(body)) + body


class UserIdentityRQ(SubItem):
    """58H. The two fields hold secrets: they are never logged, and not in the ``repr``.

    :ivar identity_type: 1 user name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JSON Web Token
    :ivar positive_response_requested: 0 or 1
    """

    __slots__ = ("identity_type", "positive_response_requested", "primary", "secondary")
    item_type = USER_IDENTITY_RQ
    name_of_item, section = "User Identity", "PS3.7 D.3.3.7"
    layout = ("User-Identity-Type:byte Positive-response-requested:byte "
              "Primary-field:counted Secondary-field:counted")

    def __repr__(self):
        return "UserIdentityRQ(identity_type=%r)" % self.identity_type


class UserIdentityAC(SubItem):
    """59H. The response may be a secret: it is never logged, and not in the ``repr``."""

    __slots__ = ("response",)
    item_type = USER_IDENTITY_AC
    name_of_item, section = "User Identity", "PS3.7 D.3.3.7"
    layout = "Server-response:counted"

    def __repr__(self):
        return "UserIdentityAC()"


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


def _field_bytes(kind, value):
    if kind in NUMBERS:
        return NUMBERS[kind].pack(value)
    if kind == "counted-uids":
        return _counted(b"".join([_counted(uid) for uid in value]))
    if kind == "byte-2":
        return b""
    return _counted(value) if kind.startswith("counted") else value
