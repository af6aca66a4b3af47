"""What can go wrong with a peer; an error carries the abort or the reject that the peer must be sent.

Each is told in one sentence, ``str(error)``, that the log, the callback of an embedding program and the tests share.
"""
from dul.codes import (
    ABORT_BY_USER, ABORT_INVALID_PARAMETER, ABORT_REASONS, ABORT_SOURCES, ABORT_UNEXPECTED_PDU, REJECT_REASONS,
    REJECT_RESULTS, REJECT_SOURCES)


class PeerError(Exception):
    """Something that a peer, or the network, did. Never raised for a fault of our own.

    :cvar expected: whether it is ordinary, so that nobody need be warned of it
    """

    expected = False


class InvalidPDU(PeerError):
    """A PDU that is not what PS3.8 9.3 says (Evt19): where, what was found, and what was due.

    :param pdu: the PDU's name, as ``A-ASSOCIATE-RQ``
    :param offset: byte offset of the field from the start of the PDU
    :param field: the field's name in the standard
    :param section: of PS3.8, or with its part (``PS3.7 D.3.3.4``)
    :param found: the value found; ``due``: the value that was due; both as text
    :param abort: (source, reason) of the A-ABORT that the peer is owed in Sta3 and later; in Sta2 it is always 0, 0
    """

    def __init__(self, pdu, offset, field, section, found, due, abort=ABORT_INVALID_PARAMETER):
        Exception.__init__(self, pdu, offset, field, section, found, due)
        self.pdu = pdu
        self.offset = offset
        self.field = field
        self.section = section if section.startswith("PS3.") else "PS3.8 " + section
        self.found = found
        self.due = due
        self.abort = abort
        self.data = b""         # as much of the PDU as was read, for the hex dump at debug
        self.foreign = None     # what the peer speaks instead, in one sentence, where that is known

    def __str__(self):
        return self.foreign or "%s: %s at byte %d is %s, due: %s (%s)" % (
            self.pdu, self.field, self.offset, self.found, self.due, self.section)


class MessageError(PeerError):
    """A message that is not answered: the DIMSE service user aborts (Evt15: A-ABORT, source 0, reason 0)."""

    abort = ABORT_BY_USER

    def __init__(self, sentence):
        Exception.__init__(self, sentence)


class Rejected(PeerError):
    """An A-ASSOCIATE-RQ that is answered by A-ASSOCIATE-RJ (PS3.8 9.3.4).

    :param reject: (result, source, reason)
    :param sentence: why, for our own user
    """

    def __init__(self, reject, sentence):
        Exception.__init__(self, reject, sentence)
        self.reject = reject
        self.sentence = sentence

    def __str__(self):
        return "%s (%s)" % (self.sentence, reject_words(self.reject))


class Expired(PeerError):
    """A deadline passed.

    :param option: the option that set it, as ``-ta``
    :param seconds: how long it was
    :param state: in which State
    :param progress: how much of what had come, as ``22 of 205 bytes of A-ASSOCIATE-RQ``, or an empty string
    """

    abort = ABORT_BY_USER

    def __init__(self, option="", seconds=0, state=None, progress=""):
        Exception.__init__(self, option, seconds, state, progress)

    def __str__(self):
        option, seconds, state, progress = self.args
        return "timeout: %s in %d s (%s) in %s (%s)" % (
            progress or "nothing", seconds, option, state, getattr(state, "meaning", ""))


class ConnectionLost(PeerError):
    """The transport connection is gone (Evt17): an orderly end (EOF), a reset, or a peer that no longer reads."""

    state = None
    progress = ""

    def __str__(self):
        where = " in %s (%s)" % (self.state, self.state.meaning) if self.state else ""
        return self.args[0] + where + (", after " + self.progress if self.progress else "")


class Stopped(PeerError):
    """Not the peer's doing: this server, or the program that it is part of, ends the association (Evt15)."""

    abort = ABORT_BY_USER
    expected = True


class Aborted(PeerError):
    """The peer's A-ABORT (Evt16)."""

    def __init__(self, source, reason):
        Exception.__init__(self, source, reason)

    def __str__(self):
        return "A-ABORT from the peer: " + abort_words(*self.args)


class UnexpectedPDU(PeerError):
    """A PDU that may be sound, in a state where PS3.8 Table 9-10 has AA-1, AA-7 or AA-8 for it."""

    abort = ABORT_UNEXPECTED_PDU

    def __init__(self, pdu, state):
        Exception.__init__(self, pdu, state)

    def __str__(self):
        pdu, state = self.args
        return "%s in %s (%s) (PS3.8 9.2.3)" % (pdu, state, state.meaning)


def reject_words(reject):
    """(result, source, reason) of an A-ASSOCIATE-RJ in the standard's words."""
    result, source, reason = reject
    return "result %d: %s, source %d: %s, reason %d: %s" % (
        result, REJECT_RESULTS.get(result, "reserved"), source, REJECT_SOURCES.get(source, "reserved"),
        reason, REJECT_REASONS.get((source, reason), "reserved"))


def abort_words(source, reason):
    """Source and reason of an A-ABORT in the standard's words."""
    words = "source %d: %s" % (source, ABORT_SOURCES.get(source, "reserved"))
    if source == ABORT_BY_USER[0]:
        return words
    return words + ", reason %d: %s" % (reason, ABORT_REASONS.get(reason, "reserved"))
