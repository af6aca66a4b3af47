"""What an A-ASSOCIATE-RQ is answered with (PS3.8 7.1, 9.3.3; PS3.7 D.3)."""
import collections
import struct

from dul.codes import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTANCE, APPLICATION_CONTEXT, APPLICATION_CONTEXT_NAME, IMPLEMENTATION_CLASS,
    IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME, IMPLICIT_LITTLE, MAXIMUM_LENGTH,
    PRESENTATION_CONTEXT_AC, PROTOCOL_VERSION, REJECT_APPLICATION_CONTEXT, REJECT_PROTOCOL_VERSION, TRANSFER_SYNTAX,
    TRANSFER_SYNTAXES_NOT_SUPPORTED, USER_IDENTITY_AC, USER_IDENTITY_RQ, USER_INFORMATION, VERIFICATION)
from dul.errors import Rejected
from dul.items import encode_item, unpadded
from dul.pdu import AAssociateRQ, encode_associate_ac, header_limits
from dul.text import as_native, counted, escaped
from dul.words import uid_name

CONFIRMED_IDENTITIES = (1, 2)   # user name, with or without passcode: their 59H is empty (PS3.7 D.3.3.7)
NAMES_SHOWN = 4                 # proposed services or transfer syntaxes that one line names at most
LARGEST_REMEMBERED = 1024       # bytes of a request
MOST_REMEMBERED = 16            # requests

# The answer to a proposed context (21H): a transfer syntax also where it is refused, because some peers want one.
AnsweredContext = collections.namedtuple("AnsweredContext", "context_id result transfer_syntax")


class Decision(object):
    """An A-ASSOCIATE-RQ (``request``) and its answer. But for ``echoes``, it is not changed any more; associations share it.

    :ivar titles: (Calling-AE-title, Called-AE-title) as text
    :ivar rejection: (result, source, reason) and a sentence; None where it is accepted
    :ivar answers: list of AnsweredContext, in the order of the request's contexts
    :ivar identity_confirmed: whether the answer has a 59H
    :ivar ac: the A-ASSOCIATE-AC, encoded
    :ivar contexts: the IDs of the accepted presentation contexts, sorted
    :ivar maximum_length: the longest PDU-length of a P-DATA-TF that the peer takes, in bytes; 0: no limit
    :ivar echoes: what the EchoServices of these associations remember
    """

    __slots__ = ("request", "titles", "rejection", "answers", "identity_confirmed", "ac", "contexts",
                 "maximum_length", "echoes")

    def __init__(self, request, settings):
        self.request = request
        self.titles = (escaped(unpadded(request.calling)), escaped(unpadded(request.called)))
        self.rejection = rejection(request)
        self.answers = [answer(proposed, settings.transfer_syntaxes) for proposed in request.contexts]
        self.contexts = sorted(set(each.context_id for each in self.answers if each.result == ACCEPTANCE))
        self.maximum_length = (request.first(MAXIMUM_LENGTH) or (0,))[0]
        identity_type, response_requested = (request.first(USER_IDENTITY_RQ) or (0, 0))[:2]
        self.identity_confirmed = response_requested == 1 and identity_type in CONFIRMED_IDENTITIES
        self.ac = encode_associate_ac(request.echoed, self.items(settings.maximum_length))
        self.echoes = {}        # type: dict

    def items(self, maximum_length):
        """The variable items of the A-ASSOCIATE-AC, encoded: 10H, each 21H, and 50H with 51H, 52H, 55H and perhaps 59H."""
        contexts = [encode_item(PRESENTATION_CONTEXT_AC, struct.pack(">BxBx", each.context_id, each.result)
                                + encode_item(TRANSFER_SYNTAX, each.transfer_syntax)) for each in self.answers]
        user = (encode_item(MAXIMUM_LENGTH, struct.pack(">I", maximum_length))
                + encode_item(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_CLASS)
                + encode_item(IMPLEMENTATION_VERSION_NAME, IMPLEMENTATION_VERSION))
        if self.identity_confirmed:
            user += encode_item(USER_IDENTITY_AC, struct.pack(">H", 0))
        return (encode_item(APPLICATION_CONTEXT, APPLICATION_CONTEXT_NAME) + b"".join(contexts)
                + encode_item(USER_INFORMATION, user))

    @property
    def rejected(self):
        """The Rejected that the peer is owed, or None."""
        return self.rejection and Rejected(*self.rejection)

    def problem(self):
        """Why no proposed presentation context can be used, and what was proposed instead: one sentence."""
        proposed = self.request.contexts
        wanted = [context for context in proposed if context.abstract_syntax == VERIFICATION]
        count = counted(len(proposed), "context")
        if not wanted:
            return "proposed %s, no Verification: %s: this is an echo server" % (
                count, _some([context.abstract_syntax for context in proposed], "contexts"))
        return "proposed %s, Verification with no transfer syntax that is taken here: %s" % (
            count, _some(sorted(set(syntax for context in wanted for syntax in context.transfer_syntaxes)), "syntaxes"))


class Negotiator(object):
    """Decides on A-ASSOCIATE-RQs by the Settings of a server. ``limits``: of the PDU-lengths, see header_limits().

    The same bytes have the same answer, and most peers send the same bytes each time. So the last few decisions are
    remembered: MOST_REMEMBERED at most, of LARGEST_REMEMBERED bytes at most, and none of a request that has a user
    identity or anything else that this program does not know.
    """

    def __init__(self, settings):
        self.settings = settings
        self.limits = header_limits(settings.maximum_length)
        self.remembered = {}

    def decide(self, data):
        """The Decision on a whole A-ASSOCIATE-RQ. Raises InvalidPDU where it is broken."""
        decision = self.remembered.get(data)
        if decision is None:
            request = AAssociateRQ(data)
            decision = Decision(request, self.settings)
            if len(data) <= LARGEST_REMEMBERED and not request.unknown and request.first(USER_IDENTITY_RQ) is None:
                if len(self.remembered) >= MOST_REMEMBERED:
                    self.remembered.clear()
                self.remembered[data] = decision
        return decision


def rejection(request):
    """Why an A-ASSOCIATE-RQ is rejected: ((result, source, reason), sentence), or None. Any AE title is accepted."""
    if not request.protocol_version & PROTOCOL_VERSION:     # judged by the service provider (AE-6, PS3.8 9.3.2)
        return REJECT_PROTOCOL_VERSION, "Protocol-version %04XH, due: bit 0 set" % request.protocol_version
    if request.application_context != APPLICATION_CONTEXT_NAME:     # by the service user (AE-8)
        return REJECT_APPLICATION_CONTEXT, "Application-context-name %s, due: %s" % (
            "(none)" if request.application_context is None else uid_name(request.application_context),
            as_native(APPLICATION_CONTEXT_NAME))
    return None


def answer(proposed, transfer_syntaxes):
    """The AnsweredContext for a proposed one: the first of our transfer syntaxes that it proposes (PS3.8 9.3.3.2)."""
    if proposed.abstract_syntax != VERIFICATION:
        return AnsweredContext(proposed.context_id, ABSTRACT_SYNTAX_NOT_SUPPORTED, IMPLICIT_LITTLE)
    for syntax in transfer_syntaxes:
        if syntax in proposed.transfer_syntaxes:
            return AnsweredContext(proposed.context_id, ACCEPTANCE, syntax)
    return AnsweredContext(proposed.context_id, TRANSFER_SYNTAXES_NOT_SUPPORTED, IMPLICIT_LITTLE)


def _some(uids, noun):
    """The names of the first few different UIDs, and how many of the list are not named."""
    named = []      # type: list
    for uid in uids:
        if uid not in named and len(named) < NAMES_SHOWN:
            named.append(uid)
    more = len([uid for uid in uids if uid not in named])
    return ", ".join([uid_name(uid) for uid in named]) + (", and %d more %s" % (more, noun) if more else "")
