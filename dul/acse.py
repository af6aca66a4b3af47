"""What an A-ASSOCIATE-RQ is answered with (PS3.8 7.1, 9.3.3; PS3.7 D.3). Pure."""
from dul.codes import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, APPLICATION_CONTEXT_NAME, IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION,
    IMPLICIT_LITTLE, PROTOCOL_VERSION, REJECT_APPLICATION_CONTEXT, REJECT_PROTOCOL_VERSION,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, VERIFICATION)
from dul.compat import escaped
from dul.errors import Rejected
from dul.items import (
    ApplicationContext, ImplementationClassUID, ImplementationVersionName, MaximumLength, PresentationContextAC,
    UserIdentityAC, UserIdentityRQ, UserInformation, Value)
from dul.pdu import AAssociateAC


class Acceptance(Value):
    """What was agreed on.

    :ivar ac: the AAssociateAC
    :ivar contexts: {presentation context ID: transfer syntax UID} of the accepted contexts
    :ivar maximum_length: the longest PDU-length of a P-DATA-TF that the peer takes, in bytes; 0: no limit
    """

    __slots__ = ("ac", "contexts", "maximum_length")


def check_protocol_version(request):
    """What the service provider itself rejects (AE-6).

    :raises Rejected: unless bit 0 of the Protocol-version is set (PS3.8 9.3.2)
    """
    if not request.protocol_version & PROTOCOL_VERSION:
        raise Rejected(REJECT_PROTOCOL_VERSION, "Protocol-version %04XH, due: bit 0 set" % request.protocol_version)


def negotiate(request, settings):
    """The service user's answer to an A-ASSOCIATE-RQ: an Acceptance (AE-7), which may hold no accepted context.

    Any AE title is accepted; role selection and asynchronous operations are not answered, so that the defaults hold.

    :raises Rejected: for an application context that is not DICOM's (AE-8)
    """
    if request.application_context != APPLICATION_CONTEXT_NAME:
        raise Rejected(REJECT_APPLICATION_CONTEXT, "Application-context-name %s, due: %s" % (
            escaped(request.application_context or b"(none)"), escaped(APPLICATION_CONTEXT_NAME)))
    answers, contexts = [], {}
    for proposed in request.presentation_contexts:
        result, syntax = choose(proposed, settings.transfer_syntaxes)
        answers.append(PresentationContextAC(proposed.context_id, result, syntax))
        if result == ACCEPTANCE:
            contexts[proposed.context_id] = syntax
    sub_items = [MaximumLength(settings.maximum_length), ImplementationClassUID(IMPLEMENTATION_CLASS),
                 ImplementationVersionName(IMPLEMENTATION_VERSION)]
    identity = request.first(UserIdentityRQ)
    if identity is not None and identity.positive_response_requested == 1:
        sub_items.append(UserIdentityAC(b""))
    maximum = request.first(MaximumLength)
    ac = AAssociateAC(PROTOCOL_VERSION, request.called, request.calling, request.reserved,
                      [ApplicationContext(APPLICATION_CONTEXT_NAME)] + answers + [UserInformation(sub_items)])
    return Acceptance(ac, contexts, 0 if maximum is None else maximum.length)


def choose(proposed, transfer_syntaxes):
    """(result, transfer syntax) for one proposed context: the first of ours that it proposes (PS3.8 9.3.3.2)."""
    if proposed.abstract_syntax != VERIFICATION:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, IMPLICIT_LITTLE
    for syntax in transfer_syntaxes:
        if syntax in proposed.transfer_syntaxes:
            return ACCEPTANCE, syntax
    return TRANSFER_SYNTAXES_NOT_SUPPORTED, IMPLICIT_LITTLE
