"""Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3).

All begin alike: byte 0 Item-type, byte 1 reserved, bytes 2-3 Item-length (big endian: bytes that follow). UIDs are
bytes; the NULs and spaces that some peers put around them are taken off.
"""
import collections
import struct

from dul.codes import (
    ABSTRACT_SYNTAX, ASYNCHRONOUS_OPERATIONS_WINDOW, COMMON_EXTENDED_NEGOTIATION, EXTENDED_NEGOTIATION,
    IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, MAXIMUM_LENGTH, MOST_ITEMS, ROLE_SELECTION, TRANSFER_SYNTAX,
    USER_IDENTITY_RQ)
from dul.errors import InvalidPDU

ITEM_HEADER = struct.Struct(">BxH")     # Item-type, Item-length
NUMBERS = {"byte": struct.Struct("B"), "uint16": struct.Struct(">H"), "uint32": struct.Struct(">I")}
UINT16 = NUMBERS["uint16"]

# 20H, proposed (PS3.8 9.3.2.2): the ID as any byte, one UID, a list of UIDs.
ProposedContext = collections.namedtuple("ProposedContext", "context_id abstract_syntax transfer_syntaxes")

# A sub-item of User Information: its Item-type, and the values of its fields in the order of SUB_ITEMS.
SubItem = collections.namedtuple("SubItem", "item_type values")

# User information sub-items: name, section, and for each field its name in the standard and its kind: a number,
# "counted" (a 2-byte length and as many bytes), "uid" (likewise), "uids" (a 2-byte length and as many bytes of counted
# UIDs), "rest" (all that is left, a UID or a name), "bytes" (all that is left) or "secret" (as "counted"). Of "uids",
# "bytes" and "secret" nothing is kept but their length.
SUB_ITEMS = {
    MAXIMUM_LENGTH: ("Maximum Length", "D.1.1", (("Maximum-length-received", "uint32"),)),
    IMPLEMENTATION_CLASS_UID: ("Implementation Class UID", "PS3.7 D.3.3.2", (("Implementation-class-uid", "rest"),)),
    ASYNCHRONOUS_OPERATIONS_WINDOW: ("Asynchronous Operations Window", "PS3.7 D.3.3.3", (
        ("Maximum-number-operations-invoked", "uint16"), ("Maximum-number-operations-performed", "uint16"))),
    ROLE_SELECTION: ("SCP/SCU Role Selection", "PS3.7 D.3.3.4", (
        ("SOP-class-UID", "uid"), ("SCU-role", "byte"), ("SCP-role", "byte"))),
    IMPLEMENTATION_VERSION_NAME: ("Implementation Version Name", "PS3.7 D.3.3.2", (
        ("Implementation-version-name", "rest"),)),
    EXTENDED_NEGOTIATION: ("SOP Class Extended Negotiation", "PS3.7 D.3.3.5", (
        ("SOP-class-UID", "uid"), ("Service-class-application-information", "bytes"))),
    COMMON_EXTENDED_NEGOTIATION: ("SOP Class Common Extended Negotiation", "PS3.7 D.3.3.6", (
        ("SOP-class-UID", "uid"), ("Service-class-UID", "uid"), ("Related-general-sop-class-UID", "uids"),
        ("reserved", "bytes"))),
    USER_IDENTITY_RQ: ("User Identity", "PS3.7 D.3.3.7", (
        ("User-Identity-Type", "byte"), ("Positive-response-requested", "byte"), ("Primary-field", "secret"),
        ("Secondary-field", "secret"))),
}


def unpadded(data):
    """A UID or name without the NULs and spaces that peers pad it with."""
    return data.strip(b"\0 ")


def encode_item(item_type, body):
    """A whole item. ``body``: at most 65535 bytes."""
    return ITEM_HEADER.pack(item_type, len(body)) + body


class ItemReader(object):
    """Reads the items of one whole PDU, of this name. It counts them, so that small items cannot take much memory."""

    def __init__(self, pdu, data):
        self.pdu = pdu
        self.data = data
        self.count = 0
        self.unknown = False    # whether an item of unknown type was skipped

    def items(self, offset, end, container, section):
        """Yield (Item-type, start and end of its body) of each. Raises InvalidPDU for one too long or too many."""
        while offset < end:
            self.tally(offset)
            body = offset + ITEM_HEADER.size
            if body > end:
                raise self.invalid(offset, "Item-type and Item-length in " + container, section,
                                   "cut off: %d bytes are left" % (end - offset), "4")
            item_type, length = ITEM_HEADER.unpack_from(self.data, offset)
            if length > end - body:
                raise self.invalid(offset + 2, "Item-length of item %02XH in %s" % (item_type, container), section,
                                   "%d" % length, "at most %d" % (end - body))
            offset = body + length
            yield item_type, body, offset

    def tally(self, offset):
        """Count one item more. Raises InvalidPDU where there are more than MOST_ITEMS."""
        self.count += 1
        if self.count > MOST_ITEMS:
            raise self.invalid(offset, "number of items", "9.3.2", "more than %d" % MOST_ITEMS, "at most %d" % MOST_ITEMS)

    def invalid(self, offset, field, section, found, due):
        """The InvalidPDU that tells of a field of this PDU."""
        return InvalidPDU(self.pdu, offset, field, section, found, due)

    def proposed_context(self, start, end):
        """The ProposedContext of an item's body: byte 5 Presentation-context-ID, 6-8 reserved, one 30H, then the 40H.

        :raises InvalidPDU: unless there are four bytes, one 30H and at least one 40H
        """
        name, section = "Presentation Context", "9.3.2.2"
        found = {ABSTRACT_SYNTAX: [], TRANSFER_SYNTAX: []}      # type: dict
        if end - start < 4:
            raise self.invalid(start - 2, "Item-length of " + name, section, "%d" % (end - start), "at least 4")
        for item_type, body, after in self.items(start + 4, end, name, section):
            if item_type in found:
                found[item_type].append(unpadded(self.data[body:after]))
            else:
                self.unknown = True
        for item_type, words, allowed in ((ABSTRACT_SYNTAX, "Abstract Syntax sub-items (30H)", "1"),
                                          (TRANSFER_SYNTAX, "Transfer Syntax sub-items (40H)", "at least 1")):
            count = len(found[item_type])
            if not count or count > 1 and allowed == "1":
                raise self.invalid(start, "number of %s of %s" % (words, name), section, "%d" % count, allowed)
        return ProposedContext(ord(self.data[start:start + 1]), found[ABSTRACT_SYNTAX][0], found[TRANSFER_SYNTAX])

    def user_information(self, start, end):
        """Yield the known SubItems of a 50H (PS3.8 9.3.2.3). Raises InvalidPDU unless fields fill each exactly."""
        for item_type, body, after in self.items(start, end, "User Information", "9.3.2.3"):
            if item_type not in SUB_ITEMS:
                self.unknown = True
                continue
            offset, values = body, []
            for field, kind in SUB_ITEMS[item_type][2]:
                value, offset = self.field(item_type, field, kind, offset, after)
                values.append(value)
            if offset != after:
                raise self.wrong(item_type, body - 2, "Item-length", "%d" % (after - body), "%d" % (offset - body))
            yield SubItem(item_type, values)

    def field(self, item_type, field, kind, offset, end):
        """(value, its end) of one field of a sub-item ending at ``end``. Raises InvalidPDU where it does not fit."""
        if kind == "rest":
            return unpadded(self.data[offset:end]), end
        if kind == "bytes":
            return end - offset, end
        number = NUMBERS.get(kind, UINT16)
        name = field if kind in NUMBERS else field + "-length"
        if number.size > end - offset:
            raise self.wrong(item_type, offset, name, "cut off: %d bytes are left" % (end - offset), "%d" % number.size)
        value = number.unpack_from(self.data, offset)[0]
        start = offset + number.size
        if kind in NUMBERS:
            return value, start
        after = start + value
        if after > end:
            raise self.wrong(item_type, offset, name, "%d" % value, "at most %d" % (end - start))
        if kind == "uids":
            while start < after:
                self.tally(start)
                start = self.field(item_type, field, "uid", start, after)[1]
        return unpadded(self.data[start:after]) if kind == "uid" else value, after

    def wrong(self, item_type, offset, field, found, due):
        """The InvalidPDU that tells of a field of a sub-item."""
        name, section, _ = SUB_ITEMS[item_type]
        return self.invalid(offset, "%s of %s" % (field, name), section, found, due)
