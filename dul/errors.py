"""What a peer can do wrong: the sentence that log and notices share, and the abort or reject that the peer is owed."""
from dul.codes import ABORT_BY_USER, ABORT_INVALID_PARAMETER, ABORT_UNEXPECTED_PDU, SERVICE_USER
from dul.words import abort_words, reject_words


class PeerError(Exception):
    """Something that a peer, or the network, did. Never raised for a fault of this program."""

    abort = ABORT_BY_USER       # (source, reason) of the A-ABORT that the peer is owed, if this side aborts


class InvalidPDU(PeerError):
    """A PDU that breaks PS3.8 9.3 (Evt19): where, and the value that was found and the one that was due, as text.

    :param pdu: its name, as ``A-ASSOCIATE-RQ``; ``field``: the field's name in the standard
    :param offset: byte offset of the field from the start of the PDU
    :param section: of PS3.8, or with its part (``PS3.7 D.3.3.4``)
    :param abort: what the peer is owed in Sta3 and later; in Sta2 it is always (0, 0)
    :ivar data: as much of the PDU as had been read, as bytes
    :ivar opening: whether it was the first PDU of its connection: then it may be another protocol altogether
    """

    data, opening = b"", False

    def __init__(self, pdu, offset, field, section, found, due, abort=ABORT_INVALID_PARAMETER):
        PeerError.__init__(self, pdu, offset, field, section, found, due)
        self.offset = offset
        self.abort = abort

    def __str__(self):
        pdu, offset, field, section, found, due = self.args
        return "%s: %s at byte %d is %s, due: %s (%s)" % (
            pdu, field, offset, found, due, section if section.startswith("PS3.") else "PS3.8 " + section)


class UnexpectedPDU(PeerError):
    """A known PDU in a state where PS3.8 Table 9-10 has AA-1, AA-7 or AA-8 for it. Arguments: its name, the State."""

    abort = ABORT_UNEXPECTED_PDU

    def __str__(self):
        pdu, state = self.args
        return "%s in %s (%s) (PS3.8 9.2.3)" % (pdu, state, state.meaning)


class MessageError(PeerError):
    """A message that is not answered: the DIMSE service user aborts (Evt15). Argument: a sentence."""

    unanswered = ()     # type: tuple       # (presentation context ID, command set as bytes) where one is whole


class Rejected(PeerError):
    """An A-ASSOCIATE-RQ that is answered by A-ASSOCIATE-RJ (PS3.8 9.3.4). Arguments: (result, source, reason); why."""

    def __init__(self, reject, sentence):
        PeerError.__init__(self, reject, sentence)
        self.reject = reject
        self.by_user = reject[1] == SERVICE_USER    # the service user rejects (AE-8), not the service provider (AE-6)

    def __str__(self):
        reject, sentence = self.args
        return "%s (%s)" % (sentence, reject_words(reject))


class Expired(PeerError):
    """A deadline passed. Arguments: the option that set it, as ``-ta``; its seconds; the State in which it passed;
    what had arrived, as ``22 of 205 bytes of A-ASSOCIATE-RQ``, empty for nothing."""

    def __str__(self):
        option, seconds, state, progress = self.args
        return "timeout: %s in %s s (%s) in %s (%s)" % (progress or "nothing", seconds, option, state, state.meaning)


class Stopped(PeerError):
    """This server, or the program that it is part of, aborts the association (Evt15). Argument: a sentence."""


class Aborted(PeerError):
    """The peer's A-ABORT (Evt16). Arguments: its source and its reason."""

    def __str__(self):
        return "A-ABORT from the peer: " + abort_words(*self.args)


class ConnectionLost(PeerError):
    """The transport connection is gone (Evt17). Argument: how, in one sentence.

    :ivar state: the State in which it happened
    :ivar progress: what had arrived of the next PDU, as in Expired
    :ivar echoes: how many C-ECHO-RQs had been answered
    :ivar closed: whether the peer closed it, or its system did
    """

    state, progress, echoes, closed = None, "", 0, False

    def __str__(self):
        where = " in %s (%s)" % (self.state, self.state.meaning) if self.state else ""
        return self.args[0] + where + (", after " + self.progress if self.progress else "")


class ClosedHere(ConnectionLost):
    """This side closes a connection that has no association. Argument: why."""

    expected = False    # whether it is ordinary, so that there is no warning of it
