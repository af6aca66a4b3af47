"""PDUs and command sets as lines of text, in DCMTK's manner and the manual's wording. Pure."""
import struct

from dul.codes import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, APPLICATION_CONTEXT_NAME, COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD, CONTEXT_RESULTS, FIXED_LENGTH, HEADER_LENGTH, IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION,
    MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO, NO_DATA_SET, STATUS, STATUS_NAMES, UID_ELEMENTS, UID_LENGTH,
    USER_IDENTITY_AC, USER_IDENTITY_RQ)
from dul.compat import as_native, escaped
from dul.dimse import US, command_name, element_name
from dul.items import (
    AsynchronousOperationsWindow, CommonExtendedNegotiation, ExtendedNegotiation, ImplementationClassUID,
    ImplementationVersionName, MaximumLength, RoleSelection, UserIdentityRQ, unpadded)
from dul.names import data_set_lines, named_uid, uid_name

IDENTITY_TYPES = {1: "User name", 2: "User name and passcode", 3: "Kerberos service ticket", 4: "SAML assertion",
                  5: "JSON Web Token"}
HEX_LINE = 16           # bytes
HEX_DUMP = 1024         # bytes of a PDU that are dumped at most
NAMES_SHOWN = 4         # proposed services or transfer syntaxes that a line names at most
LONG_INFORMATION = 64   # bytes of a field that are shown at most
ROLES = {(0, 0): "None", (1, 0): "SCU", (0, 1): "SCP", (1, 1): "SCU/SCP"}


def begin(title):
    """The line above a dump, as the manual has it."""
    return "====================== BEGIN %s =============================" % title


def end(title):
    """The line below it."""
    return "======================= END %s ==============================" % title


def title_text(field):
    """An AE title as it stands in a PDU, without its padding, escaped."""
    return escaped(unpadded(field))


def request_lines(request):
    """What an A-ASSOCIATE-RQ proposes. Secrets of a user identity are left out."""
    lines = ["Request Parameters:", begin("A-ASSOCIATE-RQ")]
    lines += ["Their %s" % line for line in _implementation(request)]
    lines += _titles(request)
    maximum = request.first(MaximumLength)
    lines.append("Their Max PDU Receive Size: %s" % ("(none)" if maximum is None else maximum.length))
    if request.protocol_version != 1:
        lines.append("Protocol Version: %04XH" % request.protocol_version)
    roles = {item.sop_class: ROLES.get((item.scu_role, item.scp_role), "%d/%d" % (item.scu_role, item.scp_role))
             for item in request.user_information if type(item) is RoleSelection}
    lines.append("Presentation Contexts:" if request.presentation_contexts else "Presentation Contexts: none")
    for context in request.presentation_contexts:
        lines += ["  Context ID: %d (Proposed)" % context.context_id,
                  "    Abstract Syntax: %s" % named_uid(context.abstract_syntax),
                  "    Proposed SCP/SCU Role: %s" % roles.get(context.abstract_syntax, "Default"),
                  "    Proposed Transfer Syntaxes:"]
        lines += ["      %s" % named_uid(syntax) for syntax in context.transfer_syntaxes]
    lines += _negotiations(request)
    lines.append(end("A-ASSOCIATE-RQ"))
    return lines


def acceptance_lines(request, ac, ae_title):
    """What was agreed on, as the A-ASSOCIATE-AC says it."""
    lines = ["Association Parameters Negotiated:", begin("A-ASSOCIATE-AC"),
             "Our Implementation Class UID: %s" % as_native(IMPLEMENTATION_CLASS),
             "Our Implementation Version Name: %s" % as_native(IMPLEMENTATION_VERSION)]
    lines += _titles(request)
    lines += ["Our AE Title: %s" % ae_title, "Our Max PDU Receive Size: %d" % ac.first(MaximumLength).length,
              "Presentation Contexts:" if ac.presentation_contexts else "Presentation Contexts: none"]
    for proposed, answer in zip(request.presentation_contexts, ac.presentation_contexts):
        accepted = answer.result == ACCEPTANCE
        lines += ["  Context ID: %d (%s)" % (answer.context_id, "Accepted" if accepted else "Refused: %d, %s" % (
            answer.result, CONTEXT_RESULTS[answer.result])),
                  "    Abstract Syntax: %s" % named_uid(proposed.abstract_syntax)]
        if accepted:
            lines.append("    Accepted Transfer Syntax: %s" % named_uid(answer.transfer_syntax))
    lines.append(end("A-ASSOCIATE-AC"))
    return lines


def message_lines(direction, context_id, command, data):
    """A DIMSE message by the names of its elements.

    :param direction: ``INCOMING`` or ``OUTGOING``
    :param command: its CommandSet
    :param data: the same as bytes
    """
    lines = [begin("%s DIMSE MESSAGE" % direction)]
    field = _us(command, COMMAND_FIELD)
    lines += ["Message Type: %s" % ("(none)" if field is None else command_name(field)),
              "Presentation Context ID: %d" % context_id]
    for element in (MESSAGE_ID, MESSAGE_ID_BEING_RESPONDED_TO):
        if command.value(element) is not None:
            lines.append("%s: %s" % (element_name(element).rsplit(" ", 1)[0], _us(command, element)))
    lines.append("Data Set: %s" % ("none" if _us(command, COMMAND_DATA_SET_TYPE) == NO_DATA_SET else "present"))
    status = _us(command, STATUS)
    if status is not None:
        lines.append("DIMSE Status: %04XH, %s" % (status, STATUS_NAMES.get(status, "unknown")))
    lines += data_set_lines(data) or ["%s: %s" % (element_name(element), _value(element, value))
                                      for element, value in command.elements]
    lines.append(end("%s DIMSE MESSAGE" % direction))
    return lines


def hex_lines(data):
    """Bytes as offset, hexadecimal and text; not more than HEX_DUMP of them.

    In an A-ASSOCIATE-RQ or -AC, however broken and whatever stands before it, a user identity may follow every byte that
    looks like its item type (58H, 59H): from the first one on nothing is shown, because secrets might be.
    """
    lines, shown = [], min(len(data), HEX_DUMP)
    for item_type in (USER_IDENTITY_RQ, USER_IDENTITY_AC):
        identity = data.find(struct.pack("B", item_type), HEADER_LENGTH + FIXED_LENGTH, shown)
        shown = identity if identity >= 0 else shown
    for start in range(0, shown, HEX_LINE):
        row = bytearray(data[start:min(start + HEX_LINE, shown)])
        text = "".join([chr(code) if 0x20 <= code < 0x7F else "." for code in row])
        lines.append("%04x  %-47s  %s" % (start, " ".join(["%02x" % code for code in row]), text))
    if len(data) > shown:
        lines.append("... and %d bytes that are not shown" % (len(data) - shown))
    return lines


def no_context_sentence(request, ac):
    """Why no proposed presentation context can be used, with what was proposed instead."""
    proposed = request.presentation_contexts
    if not proposed:
        return "proposed no presentation context (PS3.8 9.3.2.2)"
    wanted = [context for context, answer in zip(proposed, ac.presentation_contexts)
              if answer.result != ABSTRACT_SYNTAX_NOT_SUPPORTED]
    count = "%d context%s" % (len(proposed), "" if len(proposed) == 1 else "s")
    if not wanted:
        return "proposed %s, no Verification: %s: this is an echo server" % (
            count, _some([context.abstract_syntax for context in proposed]))
    return "proposed %s, Verification with no transfer syntax that is taken here: %s" % (
        count, _some([syntax for context in wanted for syntax in context.transfer_syntaxes]))


def _implementation(pdu):
    uid, name = pdu.first(ImplementationClassUID), pdu.first(ImplementationVersionName)
    return ["Implementation Class UID: %s" % ("(none)" if uid is None else escaped(uid.uid)),
            "Implementation Version Name: %s" % ("(none)" if name is None else escaped(name.name))]


def _titles(request):
    context = request.application_context
    return ["Application Context Name: %s" % (
                "(none)" if context is None else escaped(context) if context == APPLICATION_CONTEXT_NAME
                else escaped(context) + " (not DICOM's)"),
            "Calling Application Name: %s" % title_text(request.calling),
            "Called Application Name: %s" % title_text(request.called)]


def _negotiations(request):
    lines = []
    for item in request.user_information:
        kind = type(item)
        if kind is AsynchronousOperationsWindow:
            lines.append("Requested Asynchronous Operations Window: %d invoked, %d performed" % (
                item.invoked, item.performed))
        elif kind is ExtendedNegotiation:
            lines.append("Requested Extended Negotiation: %s: %s%s" % (
                named_uid(item.sop_class), " ".join(["%02x" % code for code in bytearray(
                    item.information[:LONG_INFORMATION])]), " ..." if len(item.information) > LONG_INFORMATION else ""))
        elif kind is CommonExtendedNegotiation:
            lines.append("Requested Common Extended Negotiation: %s: %s" % (
                named_uid(item.sop_class), named_uid(item.service_class)))
    if not any(line.startswith("Requested Extended") for line in lines):
        lines.append("Requested Extended Negotiation: none")
    identity = request.first(UserIdentityRQ)
    lines.append("Requested User Identity Negotiation: %s" % ("none" if identity is None else "%s, %s%s" % (
        IDENTITY_TYPES.get(identity.identity_type, "type %d" % identity.identity_type),
        "positive response requested" if identity.positive_response_requested else "no response requested",
        " (its content is not shown)")))
    return lines


def _us(command, element):
    value = command.value(element)
    return US.unpack(value)[0] if value is not None and len(value) == US.size else None


def _value(element, value):
    if element in UID_ELEMENTS:
        return named_uid(unpadded(value))
    if len(value) == US.size:
        return "%04XH" % US.unpack(value)[0]
    return escaped(value[:LONG_INFORMATION]) + (" ..." if len(value) > LONG_INFORMATION else "")


def _some(uids):
    names = []
    for uid in uids:
        name = uid_name(uid[:UID_LENGTH])
        if name not in names:
            names.append(name)
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (", and %d more" % more if more > 0 else "")
