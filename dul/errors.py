"""What a peer can do wrong: one sentence each, ``str(error)``, and the abort or reject that the peer is owed.

Log, notices and tests share the sentence.
"""
from dul.codes import ABORT_BY_USER, ABORT_INVALID_PARAMETER, ABORT_UNEXPECTED_PDU, SERVICE_USER
from dul.words import abort_words, reject_words


class PeerError(Exception):
    """Something that a peer, or the network, did. Never raised for a fault of this program."""


class InvalidPDU(PeerError):
    """A PDU that breaks PS3.8 9.3 (Evt19): where, what was found, and what was due.

    :param pdu: the PDU's name, as ``A-ASSOCIATE-RQ``
    :param offset: byte offset of the field from the start of the PDU
    :param field: the field's name in the standard
    :param section: of PS3.8, or with its part (``PS3.7 D.3.3.4``)
    :param found: the value found, as text
    :param due: the value that was due, as text
    :param abort: (source, reason) of the A-ABORT that the peer is owed in Sta3 and later; in Sta2 it is always 0, 0
    :ivar data: as much of the PDU as had been read, as bytes
    :ivar opening: whether it was the first PDU of its connection: then it may be another protocol altogether
    """

    def __init__(self, pdu, offset, field, section, found, due, abort=ABORT_INVALID_PARAMETER):
        Exception.__init__(self, pdu, offset, field, section, found, due)
        self.offset = offset
        self.abort = abort
        self.data = b""
        self.opening = False

    def __str__(self):
        pdu, offset, field, section, found, due = self.args
        return "%s: %s at byte %d is %s, due: %s (%s)" % (
            pdu, field, offset, found, due, section if section.startswith("PS3.") else "PS3.8 " + section)


class MessageError(PeerError):
    """A message that is not answered: the DIMSE service user aborts (Evt15: A-ABORT, source 0, reason 0)."""

    abort = ABORT_BY_USER

    def __init__(self, sentence):
        Exception.__init__(self, sentence)


class Rejected(PeerError):
    """An A-ASSOCIATE-RQ that is answered by A-ASSOCIATE-RJ (PS3.8 9.3.4).

    :param reject: (result, source, reason)
    :param sentence: why
    """

    def __init__(self, reject, sentence):
        Exception.__init__(self, reject, sentence)
        self.reject = reject

    def __str__(self):
        reject, sentence = self.args
        return "%s (%s)" % (sentence, reject_words(reject))

    @property
    def by_user(self):
        """Whether it is the service user who rejects (AE-8), and not the service provider (AE-6)."""
        return self.reject[1] == SERVICE_USER


class Expired(PeerError):
    """A deadline passed.

    :param option: the option that set it, as ``-ta``
    :param seconds: how long it was
    :param state: the State in which it passed
    :param progress: what had arrived, as ``22 of 205 bytes of A-ASSOCIATE-RQ``; empty for nothing
    """

    abort = ABORT_BY_USER

    def __init__(self, option, seconds, state, progress):
        Exception.__init__(self, option, seconds, state, progress)

    def __str__(self):
        option, seconds, state, progress = self.args
        return "timeout: %s in %d s (%s) in %s (%s)" % (progress or "nothing", seconds, option, state, state.meaning)


class ConnectionLost(PeerError):
    """The transport connection is gone (Evt17).

    :param sentence: how, as ``connection closed by the peer``
    :param closed: whether the peer closed it, or its system did for it
    :ivar state: the State in which it happened
    :ivar progress: what had arrived of the next PDU, as in Expired
    :ivar echoes: how many C-ECHO-RQs had been answered
    """

    def __init__(self, sentence, closed=False):
        Exception.__init__(self, sentence)
        self.closed = closed
        self.state = None
        self.progress = ""
        self.echoes = 0

    def __str__(self):
        where = " in %s (%s)" % (self.state, self.state.meaning) if self.state else ""
        return self.args[0] + where + (", after " + self.progress if self.progress else "")


class ClosedHere(ConnectionLost):
    """This side closes a connection that has no association: the server stops, or needs the room.

    :param sentence: why
    :param expected: whether it is ordinary, so that there is no warning of it
    """

    def __init__(self, sentence, expected):
        ConnectionLost.__init__(self, sentence)
        self.expected = expected


class Stopped(PeerError):
    """This server, or the program that it is part of, ends the association (Evt15)."""

    abort = ABORT_BY_USER


class Aborted(PeerError):
    """The peer's A-ABORT (Evt16).

    :param source: byte 9 of the A-ABORT; ``reason``: byte 10
    """

    def __init__(self, source, reason):
        Exception.__init__(self, source, reason)

    def __str__(self):
        return "A-ABORT from the peer: " + abort_words(*self.args)


class UnexpectedPDU(PeerError):
    """A known PDU in a state where PS3.8 Table 9-10 has AA-1, AA-7 or AA-8 for it.

    :param pdu: its name
    :param state: the State
    """

    abort = ABORT_UNEXPECTED_PDU

    def __init__(self, pdu, state):
        Exception.__init__(self, pdu, state)

    def __str__(self):
        pdu, state = self.args
        return "%s in %s (%s) (PS3.8 9.2.3)" % (pdu, state, state.meaning)
