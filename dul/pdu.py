"""The PDUs of PS3.8 9.3: decoding what an acceptor receives, encoding what it sends.

All begin alike: byte 1 PDU-type, byte 2 reserved, bytes 3-6 PDU-length (big endian: bytes that follow). Byte numbers
in comments count from 1, as in the standard; offsets in errors count from 0. A header is judged once, by
header_limits(), before the rest is read: decoders get whole PDUs of their type.
"""
import collections
import struct

from dul.codes import (
    A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, ABORT_UNRECOGNIZED_PDU,
    APPLICATION_CONTEXT, FIXED_LENGTH, HEADER_LENGTH, LARGEST_PDU, LARGEST_RQ, MOST_CONTEXTS, MOST_ITEMS, P_DATA_TF,
    PDV_OVERHEAD, PRESENTATION_CONTEXT_RQ, PROTOCOL_VERSION, SHORT_LENGTH, USER_INFORMATION)
from dul.errors import InvalidPDU
from dul.items import ItemReader, unpadded
from dul.words import PDU_NAMES, PDU_SECTIONS

PDU_HEADER = struct.Struct(">BxI")          # PDU-type, PDU-length
_FIXED = struct.Struct(">H2x16s16s32x")     # Protocol-version, Called- and Calling-AE-title
_SHORT = struct.Struct(">BxI4B")
_PDV = struct.Struct(">IBB")                # Item-length, Presentation-context-ID, message control header

RELEASE_RQ = _SHORT.pack(A_RELEASE_RQ, SHORT_LENGTH, 0, 0, 0, 0)    # 05H (PS3.8 9.3.6)
RELEASE_RP = _SHORT.pack(A_RELEASE_RP, SHORT_LENGTH, 0, 0, 0, 0)    # 06H (PS3.8 9.3.7)


def header_limits(maximum_length):
    """{PDU-type: (least, most) PDU-length}, in bytes, to judge a header by. ``maximum_length``: see Settings."""
    limits = dict.fromkeys(PDU_NAMES, (SHORT_LENGTH, SHORT_LENGTH))
    limits[A_ASSOCIATE_RQ] = limits[A_ASSOCIATE_AC] = (FIXED_LENGTH, LARGEST_RQ)
    limits[P_DATA_TF] = (PDV_OVERHEAD, maximum_length or LARGEST_PDU)
    return limits


def invalid_header(pdu_type, length, limits):
    """The InvalidPDU for an unknown PDU-type, or for a PDU-length that its type cannot have by header_limits()."""
    if pdu_type not in limits:
        return InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "%02XH" % pdu_type, "01H to 07H", ABORT_UNRECOGNIZED_PDU)
    least, most = limits[pdu_type]
    due = "%d" % least if least == most else "at least %d" % least if length < least else "at most %d" % most
    return InvalidPDU(PDU_NAMES[pdu_type], 2, "PDU-length", PDU_SECTIONS[pdu_type], "%d" % length, due)


class AAssociateRQ(object):
    """01H (PS3.8 9.3.2), of the whole PDU. Raises InvalidPDU where a length or a count is wrong.

    :ivar called: Called-AE-title, 16 bytes as received; ``calling``: Calling-AE-title, likewise
    :ivar echoed: bytes 11-74 (both titles and 32 reserved bytes), which an A-ASSOCIATE-AC sends back unchanged
    :ivar application_context: UID, or None where the item is absent
    :ivar contexts: list of ProposedContext, 1 to 128
    :ivar user_information: list of SubItem
    :ivar unknown: whether an item or sub-item of unknown type was skipped
    """

    __slots__ = ("protocol_version", "called", "calling", "echoed", "application_context", "contexts",
                 "user_information", "unknown")

    def __init__(self, data):
        self.protocol_version, self.called, self.calling = _FIXED.unpack_from(data, HEADER_LENGTH)      # 7-42
        self.echoed = data[HEADER_LENGTH + 4:HEADER_LENGTH + FIXED_LENGTH]                              # 11-74
        self.application_context, self.contexts, self.user_information = None, [], []
        name, reader = PDU_NAMES[A_ASSOCIATE_RQ], ItemReader(PDU_NAMES[A_ASSOCIATE_RQ], data)
        # unknown items are skipped, and any order is accepted (9.3.1)
        for item_type, start, end in reader.items(HEADER_LENGTH + FIXED_LENGTH, len(data), name, "9.3.2"):
            if item_type == PRESENTATION_CONTEXT_RQ:
                self.contexts.append(reader.proposed_context(start, end))
            elif item_type == USER_INFORMATION:
                self.user_information.extend(reader.user_information(start, end))
            elif item_type == APPLICATION_CONTEXT and self.application_context is None:
                self.application_context = unpadded(data[start:end])
            else:
                reader.unknown = True
        self.unknown = reader.unknown
        if not 1 <= len(self.contexts) <= MOST_CONTEXTS:
            raise reader.invalid(HEADER_LENGTH + FIXED_LENGTH, "number of Presentation Context items (20H)", "9.3.2",
                                 "%d" % len(self.contexts), "1 to %d" % MOST_CONTEXTS)

    def first(self, item_type):
        """The values of the first user information sub-item of this type, or None."""
        for item in self.user_information:
            if item.item_type == item_type:
                return item.values
        return None


def encode_associate_ac(echoed, items):
    """A-ASSOCIATE-AC (02H, PS3.8 9.3.3) of the request's bytes 11-74 and the variable items, encoded."""
    return (PDU_HEADER.pack(A_ASSOCIATE_AC, FIXED_LENGTH + len(items))          # 1-6
            + struct.pack(">H2x", PROTOCOL_VERSION) + echoed                    # 7-10, 11-74
            + items)                                                            # 75-xxx


def encode_associate_rj(reject):
    """A-ASSOCIATE-RJ (03H, PS3.8 9.3.4): byte 7 reserved, then ``reject``: 8 Result, 9 Source, 10 Reason/Diag."""
    return _SHORT.pack(A_ASSOCIATE_RJ, SHORT_LENGTH, 0, *reject)


def encode_abort(abort):
    """A-ABORT (07H, PS3.8 9.3.8): bytes 7-8 reserved, 9 Source, 10 Reason/Diag. ``abort``: (source, reason)."""
    return _SHORT.pack(A_ABORT, SHORT_LENGTH, 0, 0, *abort)


def decode_abort(data):
    """(source, reason) of a whole A-ABORT."""
    return _SHORT.unpack(data)[4:]


# A presentation data value item (PS3.8 9.3.5.1). ``control``: message control header, bits COMMAND_FRAGMENT, LAST_FRAGMENT.
PDV = collections.namedtuple("PDV", "context_id control fragment")


def encode_p_data(context_id, control, fragment):
    """P-DATA-TF (04H, PS3.8 9.3.5) with one PDV: its Item-length, Presentation-context-ID, control header, fragment."""
    return (PDU_HEADER.pack(P_DATA_TF, PDV_OVERHEAD + len(fragment))
            + _PDV.pack(len(fragment) + 2, context_id, control) + fragment)


def decode_p_data(data):
    """The PDVs of a whole P-DATA-TF. Raises InvalidPDU unless 1 to MOST_ITEMS of them fill it exactly."""
    pdvs = []       # type: list
    offset, end, name = HEADER_LENGTH, len(data), PDU_NAMES[P_DATA_TF]
    while offset < end:
        if len(pdvs) == MOST_ITEMS:
            raise InvalidPDU(name, offset, "number of PDV items", "9.3.5", "more than %d" % MOST_ITEMS,
                             "at most %d" % MOST_ITEMS)
        if end - offset < PDV_OVERHEAD:
            raise InvalidPDU(name, offset, "PDV item", "9.3.5.1", "cut off: %d bytes are left" % (end - offset),
                             "%d at least" % PDV_OVERHEAD)
        length, context_id, control = _PDV.unpack_from(data, offset)
        if not 2 <= length <= end - offset - 4:
            raise InvalidPDU(name, offset, "Item-length of PDV item", "9.3.5.1", "%d" % length,
                             "2 to %d" % (end - offset - 4))
        pdvs.append(PDV(context_id, control, data[offset + PDV_OVERHEAD:offset + 4 + length]))
        offset += 4 + length
    return pdvs
