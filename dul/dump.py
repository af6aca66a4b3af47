"""Facts as the lines of ``-d``, in DCMTK's manner and the manual's wording.

A user identity is in none of them, whatever is damaged around it: a field is shown where it looks like what it should
be, and bytes of a broken PDU are shown only where they are known to be harmless.
"""
from dul.association import ABORTING, ACCEPTED, ECHOED, MOVED, REQUESTED
from dul.codes import (
    A_ABORT, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, ABSTRACT_SYNTAX, ACCEPTANCE, APPLICATION_CONTEXT,
    APPLICATION_CONTEXT_NAME, ASYNCHRONOUS_OPERATIONS_WINDOW, COMMAND_DATA_SET_TYPE, COMMAND_FIELD,
    COMMON_EXTENDED_NEGOTIATION, EXTENDED_NEGOTIATION, FIXED_LENGTH, HEADER_LENGTH, IMPLEMENTATION_CLASS,
    IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME, MAXIMUM_LENGTH, MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO, NO_DATA_SET, P_DATA_TF, PDV_OVERHEAD, PRESENTATION_CONTEXT_RQ, ROLE_SELECTION, STATUS,
    TRANSFER_SYNTAX, UID_ELEMENTS, USER_IDENTITY_RQ, USER_INFORMATION)
from dul.connection import CONNECTED, RECEIVING, SENDING
from dul.dimse import US, decode_command
from dul.errors import MessageError
from dul.items import ITEM_HEADER, NUMBERS, SUB_ITEMS, unpadded
from dul.text import as_native, counted, is_plain
from dul.words import (
    CONTEXT_RESULTS, PDU_NAMES, STATUS_NAMES, abort_words, command_name, element_name, is_uid, named_uid,
    reject_words)

IDENTITY_TYPES = {1: "User name", 2: "User name and passcode", 3: "Kerberos service ticket", 4: "SAML assertion",
                  5: "JSON Web Token"}
ROLES = {(0, 0): "None", (1, 0): "SCU", (0, 1): "SCP", (1, 1): "SCU/SCP"}
HEX_DUMP = 1024         # bytes of a PDU that are looked at
KNOWN_ITEMS = tuple(SUB_ITEMS) + (APPLICATION_CONTEXT, PRESENTATION_CONTEXT_RQ, ABSTRACT_SYNTAX, TRANSFER_SYNTAX,
                                  USER_INFORMATION)
UID_ITEMS = (APPLICATION_CONTEXT, ABSTRACT_SYNTAX, TRANSFER_SYNTAX, IMPLEMENTATION_CLASS_UID)
VERSION_NAME_LENGTH = 16    # bytes of an Implementation Version Name (PS3.7 D.3.3.2)


def begin(title):
    """The line above a dump, as the manual has it."""
    return "====================== BEGIN %s =============================" % title


def end(title):
    """The line below it."""
    return "======================= END %s ==============================" % title


def receiving_lines(_, header):
    """The header of a PDU arrived."""
    pdu_type, length = header
    if pdu_type not in PDU_NAMES:
        return ["Received PDU %02XH" % pdu_type]
    return ["Received %s (PDU-length %d)" % (PDU_NAMES[pdu_type], length)]


def sending_lines(_, data):
    """A PDU goes out."""
    pdu_type, words = ord(data[:1]), ""
    if pdu_type == A_ASSOCIATE_RJ:
        words = ", " + reject_words(tuple(bytearray(data[7:10])))
    elif pdu_type == A_ABORT:
        words = ", " + abort_words(*bytearray(data[8:10]))
    return ["Sending %s (PDU-length %d)%s" % (PDU_NAMES[pdu_type], len(data) - HEADER_LENGTH, words)]


def request_lines(_, decision):
    """What an A-ASSOCIATE-RQ proposes."""
    request = decision.request
    uid, name, maximum = [(request.first(item_type) or (None,))[0] for item_type in (
        IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, MAXIMUM_LENGTH)]
    lines = ["Request Parameters:", begin("A-ASSOCIATE-RQ"),
             "Their Implementation Class UID: %s" % ("(none)" if uid is None else named_uid(uid)),
             "Their Implementation Version Name: %s" % ("(none)" if name is None else shown_name(name))]
    lines += _titles(decision)
    lines.append("Their Max PDU Receive Size: %s" % ("(none)" if maximum is None else maximum))
    if request.protocol_version != 1:
        lines.append("Protocol Version: %04XH" % request.protocol_version)
    roles = dict((values[0], ROLES.get(tuple(values[1:]), "%d/%d" % tuple(values[1:])))
                 for item_type, values in request.user_information if item_type == ROLE_SELECTION)
    lines.append("Presentation Contexts:")
    for context in request.contexts:
        lines += ["  Context ID: %d (Proposed)" % context.context_id,
                  "    Abstract Syntax: %s" % named_uid(context.abstract_syntax),
                  "    Proposed SCP/SCU Role: %s" % roles.get(context.abstract_syntax, "Default"),
                  "    Proposed Transfer Syntaxes:"]
        lines += ["      %s" % named_uid(syntax) for syntax in context.transfer_syntaxes]
    return lines + _negotiations(request) + [end("A-ASSOCIATE-RQ")]


def acceptance_lines(connection, decision):
    """What was agreed on, as the A-ASSOCIATE-AC says it."""
    settings = connection.association.settings
    lines = ["Association Parameters Negotiated:", begin("A-ASSOCIATE-AC"),
             "Our Implementation Class UID: %s" % as_native(IMPLEMENTATION_CLASS),
             "Our Implementation Version Name: %s" % as_native(IMPLEMENTATION_VERSION)]
    lines += _titles(decision)
    lines += ["Our AE Title: %s" % settings.ae_title, "Our Max PDU Receive Size: %d" % settings.maximum_length,
              "Presentation Contexts:"]
    for proposed, answered in zip(decision.request.contexts, decision.answers):
        accepted = answered.result == ACCEPTANCE
        lines += ["  Context ID: %d (%s)" % (answered.context_id, "Accepted" if accepted else "Refused: %d, %s" % (
            answered.result, CONTEXT_RESULTS[answered.result])),
                  "    Abstract Syntax: %s" % named_uid(proposed.abstract_syntax)]
        if accepted:
            lines += ["    Accepted SCP/SCU Role: Default",
                      "    Accepted Transfer Syntax: %s" % named_uid(answered.transfer_syntax)]
    return lines + [
        "Accepted Extended Negotiation: none",
        "User Identity Negotiation Response: %s" % ("empty" if decision.identity_confirmed else "none"),
        end("A-ASSOCIATE-AC")]


def message_lines(direction, context_id, data):
    """An ``INCOMING`` or ``OUTGOING`` message by the names of its elements; nothing where it cannot be read."""
    try:
        return _command_lines(direction, context_id, decode_command(data))
    except MessageError:
        return []


def _command_lines(direction, context_id, command):
    numbers = dict((element, US.unpack(value)[0]) for element, value in command.items() if len(value) == US.size)
    lines = [begin("%s DIMSE MESSAGE" % direction), "Message Type: %s" % command_name(numbers.get(COMMAND_FIELD)),
             "Presentation Context ID: %d" % context_id]
    for element in (MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO):
        if element in numbers:
            lines.append("%s: %d" % (element_name(element).rsplit(" ", 1)[0], numbers[element]))
    lines.append("Data Set: %s" % ("none" if numbers.get(COMMAND_DATA_SET_TYPE) == NO_DATA_SET else "present"))
    if STATUS in numbers:
        lines.append("DIMSE Status: %04XH, %s" % (numbers[STATUS], STATUS_NAMES.get(numbers[STATUS], "unknown")))
    for element, value in sorted(command.items()):
        shown = "%d bytes" % len(value)
        if element in UID_ELEMENTS:
            shown = named_uid(unpadded(value))
        elif element in numbers:
            shown = "%04XH" % numbers[element]
        lines.append("%s: %s" % (element_name(element), shown))
    return lines + [end("%s DIMSE MESSAGE" % direction)]


# The lines of -d for a fact: {kind: function of its connection and its value}; the others have none.
LINES = {CONNECTED: lambda connection, _: ["Connection %d from %s" % (connection.number, connection.peer)],
         MOVED: lambda _, step: ["%s + %s -> %s -> %s" % step], RECEIVING: receiving_lines, SENDING: sending_lines,
         REQUESTED: request_lines, ACCEPTED: acceptance_lines,
         ECHOED: lambda _, echo: (message_lines("INCOMING", echo.context_id, echo.command)
                                  + message_lines("OUTGOING", echo.context_id, echo.response)),
         ABORTING: lambda _, error: (
             message_lines("INCOMING", *error.unanswered) if getattr(error, "unanswered", ()) else [])}


def shown_name(name):
    """An Implementation Version Name; of anything else its length alone: a damaged request may have a secret there."""
    if len(name) <= VERSION_NAME_LENGTH and is_plain(name):
        return as_native(name)
    return "(%s, not a version name)" % counted(len(name), "byte")


def invalid_lines(error):
    """The bytes of an invalid PDU that are known to be harmless, each field with its offset, and how many are not shown."""
    data, shown, lines = error.data[:HEX_DUMP], 0, [begin("INVALID PDU")]
    for start, length in harmless(data, error.offset):
        field = data[start:start + length]
        shown += len(field)
        if not field:       # beyond what is looked at
            continue
        lines.append("%04x  %s%s" % (start, " ".join(["%02x" % code for code in bytearray(field)]),
                                     "  " + as_native(field) if length > 6 and is_plain(field) else ""))
    return lines + ["%s not shown" % counted(len(error.data) - shown, "byte"), end("INVALID PDU")]


def harmless(data, fault):
    """(offset, length) of what may be shown of a PDU: headers and lengths, UIDs and titles that look like it.

    Only what stands before the fault is known to be what it seems to be; of the fault, its own field.
    """
    pdu_type = ord(data[:1])
    if pdu_type not in PDU_NAMES:
        return [(0, 1)]
    found = [(0, HEADER_LENGTH)]
    if fault >= HEADER_LENGTH and pdu_type == A_ASSOCIATE_RQ:
        if data[42:76] == b"\0" * 32 + b"\x10\0":
            # the items begin where they should: nothing is missing before, and the titles are in their place
            found += [(start, 16) for start in (10, 26) if is_plain(unpadded(data[start:start + 16]))]
        found += harmless_items(data, HEADER_LENGTH + FIXED_LENGTH, len(data), fault)
    elif fault >= HEADER_LENGTH and pdu_type == P_DATA_TF:
        offset = HEADER_LENGTH
        while offset < fault and offset + PDV_OVERHEAD <= len(data):
            found.append((offset, PDV_OVERHEAD))
            offset += 4 + NUMBERS["uint32"].unpack_from(data, offset)[0]
        found.append((fault, 4))
    return found


def harmless_items(data, offset, end_of_items, fault):
    """The same for the items from ``offset`` on, up to the fault."""
    while offset + 4 <= end_of_items and offset < fault + 2:
        item_type, length = ITEM_HEADER.unpack_from(data, offset)
        body, after = offset + 4, offset + 4 + length
        if item_type in KNOWN_ITEMS or fault in (offset, offset + 2):
            yield offset, 4
        if item_type in UID_ITEMS and after <= fault and is_uid(unpadded(data[body:after])):
            yield body, length
        elif item_type in (PRESENTATION_CONTEXT_RQ, USER_INFORMATION):
            inside = body + (4 if item_type == PRESENTATION_CONTEXT_RQ else 0)
            for each in harmless_items(data, inside, min(after, end_of_items), fault):
                yield each
        offset = after


def _titles(decision):
    context = decision.request.application_context
    return ["Application Context Name: %s" % (
                "(none)" if context is None else as_native(context) if context == APPLICATION_CONTEXT_NAME
                else named_uid(context) + " (not DICOM's)"),
            "Calling Application Name: %s" % decision.titles[0],
            "Called Application Name: %s" % decision.titles[1]]


def _negotiations(request):
    lines, extended = [], []
    for item_type, values in request.user_information:
        if item_type == ASYNCHRONOUS_OPERATIONS_WINDOW:
            lines.append("Requested Asynchronous Operations Window: %d invoked, %d performed" % tuple(values))
        elif item_type == EXTENDED_NEGOTIATION:
            extended.append("Requested Extended Negotiation: %s: %d bytes" % (named_uid(values[0]), values[1]))
        elif item_type == COMMON_EXTENDED_NEGOTIATION:
            extended.append("Requested Common Extended Negotiation: %s: %s" % (
                named_uid(values[0]), named_uid(values[1])))
    identity = request.first(USER_IDENTITY_RQ)
    return lines + (extended or ["Requested Extended Negotiation: none"]) + [
        "Requested User Identity Negotiation: %s" % ("none" if identity is None else "%s, %s (its content is not shown)" % (
            IDENTITY_TYPES.get(identity[0], "type %d" % identity[0]),
            "positive response requested" if identity[1] else "no response requested"))]
