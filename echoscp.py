"""echoscp 1.1.0: a DICOM Verification (C-ECHO) SCP in one file, for any Python from 2.6 on, nothing installed.

    python echoscp.py 11112             answer C-ECHO on port 11112
    python echoscp.py --help            all options

This file is made from the package dul of the same project, by its command "python setup.py onefile": the same modules
in the same order, each under a banner. Do not edit it; edit dul/ and make it again. Read it from top to bottom: each
part uses only what stands above it.

MIT License

Copyright (c) 2026 the echoscp developers

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
import sys

if __name__ == "__main__":      # from the first statement on Ctrl-C ends this silently, unless it is ignored (nohup, &)
    try:
        import _signal as signals   # built in, where signal itself takes a moment to import
    except ImportError:
        import signal as signals    # Python 2
    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)

import collections
import errno
import os
import select
import signal
import socket
import struct
import threading
import time

# ---- dul/codes.py ---------------------------------------------------------------------------------------------------
# Numbers, UIDs and limits of the standard, each named once. Their words are in ``words``.

VERSION = "1.1.0"

# PDU types (PS3.8 9.3.1)
A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

# Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3)
APPLICATION_CONTEXT = 0x10
PRESENTATION_CONTEXT_RQ = 0x20
PRESENTATION_CONTEXT_AC = 0x21
ABSTRACT_SYNTAX = 0x30
TRANSFER_SYNTAX = 0x40
USER_INFORMATION = 0x50
MAXIMUM_LENGTH = 0x51
IMPLEMENTATION_CLASS_UID = 0x52
ASYNCHRONOUS_OPERATIONS_WINDOW = 0x53
ROLE_SELECTION = 0x54
IMPLEMENTATION_VERSION_NAME = 0x55
EXTENDED_NEGOTIATION = 0x56
COMMON_EXTENDED_NEGOTIATION = 0x57
USER_IDENTITY_RQ = 0x58
USER_IDENTITY_AC = 0x59

# Sizes in bytes
HEADER_LENGTH = 6             # PDU-type, reserved, PDU-length (PS3.8 9.3.1)
FIXED_LENGTH = 68             # PDU-length of an A-ASSOCIATE-RQ or -AC without its variable items (PS3.8 9.3.2)
SHORT_LENGTH = 4              # PDU-length of RJ, RELEASE-RQ, RELEASE-RP and ABORT (PS3.8 9.3.4, 9.3.6 to 9.3.8)
LARGEST_PDU = 0xFFFFFFFF      # the largest PDU-length that its four bytes can say
PDV_OVERHEAD = 6              # Item-length, Presentation-context-ID, message control header (PS3.8 9.3.5.1)
MINIMUM_MAXIMUM_LENGTH = 8    # the smallest Maximum Length that lets a fragment through: PDV_OVERHEAD and two bytes
MOST_CONTEXTS = 128           # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
AE_TITLE_LENGTH = 16          # PS3.8 9.3.2, PS3.5 6.2
UID_LENGTH = 64               # characters at most (PS3.5 9)

# Limits of this implementation; the standard has none
LARGEST_RQ = 1024 * 1024      # PDU-length of an A-ASSOCIATE-RQ, in bytes; also of a P-DATA-TF, whatever -pdu allows
MOST_ITEMS = 10000            # items, sub-items and listed UIDs of one A-ASSOCIATE-RQ: bounds the memory that decoding takes
LARGEST_COMMAND_SET = 64 * 1024   # bytes, reassembled
CLOSING_SECONDS = 30          # ARTIM in Sta13 where -ta is 0: both sides are done, so the connection need not stay

PROTOCOL_VERSION = 0x0001     # only bit 0 is tested (PS3.8 9.3.2)

# Message control header (PS3.8 Annex E.2)
COMMAND_FRAGMENT = 0x01
LAST_FRAGMENT = 0x02

# Result/Reason of a presentation context (PS3.8 9.3.3.2)
ACCEPTANCE = 0
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

# A-ASSOCIATE-RJ: (result, source, reason) (PS3.8 9.3.4)
SERVICE_USER = 1              # a source; 2 and 3 are the service provider
REJECT_APPLICATION_CONTEXT = (1, 1, 2)
REJECT_PROTOCOL_VERSION = (1, 2, 2)
REJECT_LOCAL_LIMIT = (2, 3, 2)

# A-ABORT: (source, reason) (PS3.8 9.3.8)
ABORT_BY_USER = (0, 0)
ABORT_UNRECOGNIZED_PDU = (2, 1)
ABORT_UNEXPECTED_PDU = (2, 2)
ABORT_INVALID_PARAMETER = (2, 6)

# UIDs (PS3.6 Annex A). In PDUs they are bytes without padding.
APPLICATION_CONTEXT_NAME = b"1.2.840.10008.3.1.1.1"
VERIFICATION = b"1.2.840.10008.1.1"
IMPLICIT_LITTLE = b"1.2.840.10008.1.2"
EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
EXPLICIT_BIG = b"1.2.840.10008.1.2.2"

# Who we are (PS3.7 D.3.3.2). The UID is 2.25 and the decimal form of UUID 3a84e774-8224-4114-89b9-106dbf45d262
# (PS3.5 B.2), which was drawn at random for this implementation and stays with it.
IMPLEMENTATION_CLASS = b"2.25.77785301408213893004879162580937331298"
IMPLEMENTATION_VERSION = b"ECHOSCP_" + VERSION.encode("ascii")

# Command elements of group 0000 (PS3.7 E.1), by element number
COMMAND_GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
UID_ELEMENTS = (0x0002, 0x0003, 0x1000, 0x1001)

# Command Field (PS3.7 E.1)
C_ECHO_RQ = 0x0030
C_ECHO_RSP = 0x8030
NO_DATA_SET = 0x0101          # Command Data Set Type (PS3.7 9.3.5)

# Status (PS3.7 9.1.5.1.4, Annex C)
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122


# ---- dul/text.py ----------------------------------------------------------------------------------------------------
# What a peer or a user wrote, made fit for one line of a log and a terminal.

PLAIN = bytes(bytearray(code for code in range(0x20, 0x7F) if code != 0x5C))    # shown as it is
LONGEST_VALUE = 1000    # bytes or characters of one value that are shown; a peer can send a UID of 65535 bytes
LONGEST_LINE = 2000     # characters of one line


def as_native(data):
    """The native string (str of this Python) of ASCII bytes."""
    return data if str is bytes else data.decode("ascii")


def is_plain(data):
    """Whether bytes are printable ASCII without a backslash."""
    return not data.translate(None, PLAIN)


def escaped(data):
    """Bytes, or text by its code points, in printable ASCII: at most LONGEST_VALUE of it. Any other byte comes out as
    ``\\xNN``, a backslash doubled, so that no value can pass for an escape."""
    more = len(data) - LONGEST_VALUE
    if more > 0:
        return "%s ... (%d more)" % (escaped(data[:LONGEST_VALUE]), more)
    if isinstance(data, bytes) and is_plain(data):
        return as_native(data)
    codes = bytearray(data) if isinstance(data, bytes) else [ord(character) for character in data]
    return "".join(["\\\\" if code == 0x5C else chr(code) if 0x20 <= code < 0x7F
                    else "\\x%02x" % code if code < 0x100 else "\\u%04x" % code for code in codes])


def shortened(text):
    """A line, cut where it is longer than LONGEST_LINE."""
    more = len(text) - LONGEST_LINE
    return "%s ... (%d characters more)" % (text[:LONGEST_LINE], more) if more > 0 else text


def counted(number, noun):
    """``1 echo``, ``2 echoes``: a number and its noun."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "es" if noun.endswith("o") else "s")


# ---- dul/words.py ---------------------------------------------------------------------------------------------------
# The standard's words for its codes, and the names of UIDs.

# PDUs, and their sections of PS3.8
PDU_NAMES = {A_ASSOCIATE_RQ: "A-ASSOCIATE-RQ", A_ASSOCIATE_AC: "A-ASSOCIATE-AC", A_ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
             P_DATA_TF: "P-DATA-TF", A_RELEASE_RQ: "A-RELEASE-RQ", A_RELEASE_RP: "A-RELEASE-RP", A_ABORT: "A-ABORT"}
PDU_SECTIONS = {A_ASSOCIATE_RQ: "9.3.2", A_ASSOCIATE_AC: "9.3.3", A_ASSOCIATE_RJ: "9.3.4", P_DATA_TF: "9.3.5",
                A_RELEASE_RQ: "9.3.6", A_RELEASE_RP: "9.3.7", A_ABORT: "9.3.8"}

# Result/Reason of a presentation context (PS3.8 9.3.3.2), those that an acceptor sends
CONTEXT_RESULTS = {
    ACCEPTANCE: "acceptance",
    ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract-syntax-not-supported",
    TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer-syntaxes-not-supported",
}

# A-ASSOCIATE-RJ (PS3.8 9.3.4), likewise
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {
    1: "DICOM UL service-user",
    2: "DICOM UL service-provider (ACSE related function)",
    3: "DICOM UL service-provider (presentation related function)",
}
REJECT_REASONS = {  # (source, reason)
    (1, 2): "application-context-name-not-supported",
    (2, 2): "protocol-version-not-supported",
    (3, 2): "local-limit-exceeded",
}

# A-ABORT (PS3.8 9.3.8)
ABORT_SOURCES = {0: "DICOM UL service-user", 1: "reserved", 2: "DICOM UL service-provider"}
ABORT_REASONS = {  # of source 2; with source 0 the reason is not significant
    0: "reason-not-specified",
    1: "unrecognized-PDU",
    2: "unexpected-PDU",
    4: "unrecognized-PDU parameter",
    5: "unexpected-PDU parameter",
    6: "invalid-PDU-parameter value",
}

# Elements of a command set, those of requests and Status (PS3.7 E.1); commands; Status (PS3.7 9.1.5.1.4, Annex C)
ELEMENT_NAMES = {
    0x0000: "Command Group Length",
    0x0002: "Affected SOP Class UID",
    0x0003: "Requested SOP Class UID",
    0x0100: "Command Field",
    0x0110: "Message ID",
    0x0120: "Message ID Being Responded To",
    0x0600: "Move Destination",
    0x0700: "Priority",
    0x0800: "Command Data Set Type",
    0x0900: "Status",
    0x1000: "Affected SOP Instance UID",
    0x1001: "Requested SOP Instance UID",
    0x1002: "Event Type ID",
    0x1005: "Attribute Identifier List",
    0x1008: "Action Type ID",
    0x1030: "Move Originator Application Entity Title",
    0x1031: "Move Originator Message ID",
}
COMMAND_NAMES = {
    0x0001: "C-STORE-RQ", 0x8001: "C-STORE-RSP", 0x0010: "C-GET-RQ", 0x8010: "C-GET-RSP",
    0x0020: "C-FIND-RQ", 0x8020: "C-FIND-RSP", 0x0021: "C-MOVE-RQ", 0x8021: "C-MOVE-RSP",
    0x0030: "C-ECHO-RQ", 0x8030: "C-ECHO-RSP", 0x0FFF: "C-CANCEL-RQ",
    0x0100: "N-EVENT-REPORT-RQ", 0x8100: "N-EVENT-REPORT-RSP", 0x0110: "N-GET-RQ", 0x8110: "N-GET-RSP",
    0x0120: "N-SET-RQ", 0x8120: "N-SET-RSP", 0x0130: "N-ACTION-RQ", 0x8130: "N-ACTION-RSP",
    0x0140: "N-CREATE-RQ", 0x8140: "N-CREATE-RSP", 0x0150: "N-DELETE-RQ", 0x8150: "N-DELETE-RSP",
}
STATUS_NAMES = {SUCCESS: "Success", SOP_CLASS_NOT_SUPPORTED: "Refused: SOP Class not supported"}

# UIDs that a verification server meets most (PS3.6 Annex A)
UID_NAMES = {
    "1.2.840.10008.3.1.1.1": "DICOM Application Context Name",
    "1.2.840.10008.1.1": "Verification SOP Class",
    "1.2.840.10008.1.2": "Little Endian Implicit VR",
    "1.2.840.10008.1.2.1": "Little Endian Explicit VR",
    "1.2.840.10008.1.2.2": "Big Endian Explicit VR",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Non-Hierarchical (Process 14)",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless Image Compression",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Lossy (Near-Lossless) Image Compression",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Image Compression (Lossless Only)",
    "1.2.840.10008.1.2.4.91": "JPEG 2000 Image Compression",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.1.2": "Digital Mammography X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.3.1": "Ultrasound Multi-frame Image Storage",
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.6.1": "Ultrasound Image Storage",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.12.1": "X-Ray Angiographic Image Storage",
    "1.2.840.10008.5.1.4.1.1.12.2": "X-Ray Radiofluoroscopic Image Storage",
    "1.2.840.10008.5.1.4.1.1.20": "Nuclear Medicine Image Storage",
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.67": "X-Ray Radiation Dose SR Storage",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF Storage",
    "1.2.840.10008.5.1.4.1.1.128": "Positron Emission Tomography Image Storage",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose Storage",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set Storage",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT Plan Storage",
    "1.2.840.10008.5.1.4.1.2.1.1": "Patient Root Query/Retrieve Information Model - FIND",
    "1.2.840.10008.5.1.4.1.2.1.2": "Patient Root Query/Retrieve Information Model - MOVE",
    "1.2.840.10008.5.1.4.1.2.2.1": "Study Root Query/Retrieve Information Model - FIND",
    "1.2.840.10008.5.1.4.1.2.2.2": "Study Root Query/Retrieve Information Model - MOVE",
    "1.2.840.10008.5.1.4.31": "Modality Worklist Information Model - FIND",
    "1.2.840.10008.3.1.2.3.3": "Modality Performed Procedure Step SOP Class",
    "1.2.840.10008.1.20.1": "Storage Commitment Push Model SOP Class",
    "1.2.840.10008.5.1.1.9": "Basic Grayscale Print Management Meta SOP Class",
    "1.2.840.10008.5.1.1.18": "Basic Color Print Management Meta SOP Class",
}


def reject_words(reject):
    """(result, source, reason) of an A-ASSOCIATE-RJ in the standard's words."""
    result, source, reason = reject
    return "result %d: %s, source %d: %s, reason %d: %s" % (
        result, REJECT_RESULTS[result], source, REJECT_SOURCES[source], reason, REJECT_REASONS[source, reason])


def abort_words(source, reason):
    """Source and reason of an A-ABORT in the standard's words."""
    words = "source %d: %s" % (source, ABORT_SOURCES.get(source, "reserved"))
    if source == ABORT_BY_USER[0]:
        return words
    return words + ", reason %d: %s" % (reason, ABORT_REASONS.get(reason, "reserved"))


def element_name(element):
    """``Command Field (0000,0100)``."""
    return "%s (0000,%04X)" % (ELEMENT_NAMES.get(element, "element"), element)


def command_name(field):
    """``C-STORE-RQ``; ``command 1234H`` where the number has no name; ``(none)`` for None."""
    return "(none)" if field is None else COMMAND_NAMES.get(field, "command %04XH" % field)


def is_uid(data):
    """Whether bytes without padding look like a UID: 1 to 64 digits and dots (PS3.5 9.1)."""
    return 0 < len(data) <= UID_LENGTH and not data.strip(b"0123456789.")


def uid_name(uid):
    """``Verification SOP Class``; the UID itself where it has no known name; of what is not a UID, its length alone,
    because a damaged request may have a secret there. ``uid``: bytes without padding."""
    if not is_uid(uid):
        return "(%s, not a UID)" % counted(len(uid), "byte")
    text = as_native(uid)
    return UID_NAMES.get(text, text)


def named_uid(uid):
    """``=Verification SOP Class``, or the plain UID: as in DCMTK's dumps."""
    name = uid_name(uid)
    return "=" + name if is_uid(uid) and name != as_native(uid) else name


# ---- dul/errors.py --------------------------------------------------------------------------------------------------
# What a peer can do wrong: the sentence that log and notices share, and the abort or reject that the peer is owed.

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


# ---- dul/settings.py ------------------------------------------------------------------------------------------------
# What a server is told to do, and the rule for each value: the same for the command line and for embedding.

LEAST_MAXIMUM_LENGTH, LARGEST_MAXIMUM_LENGTH = 128, 4294967295      # bytes
LONGEST_TIMEOUT = 4294967295        # seconds

# The acceptor's order of transfer syntaxes, the preferred one first
PREFER_LITTLE = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)
PREFER_BIG = (EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE)
IMPLICIT_ONLY = (IMPLICIT_LITTLE,)


def check_title(title):
    """An AE title (PS3.5 6.2): 1 to 16 characters of the default repertoire; else a ValueError says so."""
    text = title if isinstance(title, str) else as_native(title)
    if not 1 <= len(text) <= AE_TITLE_LENGTH or not text.strip(" ") or "\\" in text or escaped(text) != text:
        raise ValueError("1 to %d printable ASCII characters, no backslash, not only spaces" % AE_TITLE_LENGTH)
    return text


def check_seconds(seconds):
    """A timeout: 0 (no limit) to 4294967295 seconds; else a ValueError says so."""
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("0 (no limit) to %d seconds" % LONGEST_TIMEOUT)
    return seconds


def check_maximum_length(length):
    """A Maximum Length (PS3.8 D.1): 0 (no limit) or 128 to 4294967295 bytes; else a ValueError says so."""
    if length and not LEAST_MAXIMUM_LENGTH <= length <= LARGEST_MAXIMUM_LENGTH:
        raise ValueError("0 (no limit) or %d to %d bytes" % (LEAST_MAXIMUM_LENGTH, LARGEST_MAXIMUM_LENGTH))
    return length


class Settings(object):
    """What every association of a server is held to.

    :param ae_title: ours, 1 to 16 characters; it is shown, and any called title is accepted
    :param timeout: seconds from accept until a whole A-ASSOCIATE-RQ is there; 0: no limit of its own
    :param acse_timeout: seconds of the ARTIM timer, and of each send; 0: no limit in Sta2
    :param dimse_timeout: seconds until the next complete message; 0: no limit
    :param maximum_length: the longest PDU-length of a P-DATA-TF that we take, in bytes; 0: no limit
    :param transfer_syntaxes: UIDs, the preferred one first
    :raises ValueError: for a value out of its range; TypeError for a UID that is no bytes
    """

    __slots__ = ("ae_title", "timeout", "acse_timeout", "dimse_timeout", "maximum_length", "transfer_syntaxes")

    def __init__(self, ae_title="ECHOSCP", timeout=0, acse_timeout=30, dimse_timeout=0, maximum_length=16384,
                 transfer_syntaxes=PREFER_LITTLE):
        self.ae_title = check_title(ae_title)
        self.timeout = check_seconds(timeout)
        self.acse_timeout = check_seconds(acse_timeout)
        self.dimse_timeout = check_seconds(dimse_timeout)
        self.maximum_length = int(check_maximum_length(maximum_length))
        self.transfer_syntaxes = tuple([bytes(each) for each in transfer_syntaxes])


# ---- dul/items.py ---------------------------------------------------------------------------------------------------
# Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3).
#
# All begin alike: byte 0 Item-type, byte 1 reserved, bytes 2-3 Item-length (big endian: bytes that follow). UIDs are
# bytes; the NULs and spaces that some peers put around them are taken off.

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


# ---- dul/pdu.py -----------------------------------------------------------------------------------------------------
# The PDUs of PS3.8 9.3: decoding what an acceptor receives, encoding what it sends.
#
# All begin alike: byte 1 PDU-type, byte 2 reserved, bytes 3-6 PDU-length (big endian: bytes that follow). Byte numbers
# in comments count from 1, as in the standard; offsets in errors count from 0. A header is judged once, by
# header_limits(), before the rest is read: decoders get whole PDUs of their type.

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


# ---- dul/fsm.py -----------------------------------------------------------------------------------------------------
# The DICOM Upper Layer state machine: PS3.8 9.2 and its Table 9-10, as data. Only this file decides state.
#
# How it works
#     A *state* says how far an association has come. The acceptor of an association begins in Sta1 (nothing is open),
#     waits in Sta2 for the A-ASSOCIATE-RQ and in Sta3 for its own user's answer to it, exchanges data in Sta6, answers
#     a release in Sta8, and waits in Sta13 for the peer to close the connection. Sta7, Sta10 and Sta12 are reached only
#     by a release that this side began. Sta4, Sta5, Sta9 and Sta11 belong to the requestor; they are kept, because the
#     table is checked whole against the standard.
#
#     An *event* is something that happened: a PDU came (Evt3, 4, 6, 10, 12, 13, 16; Evt19 for one that is invalid), the
#     transport connection opened or closed (Evt2, 5, 17), the ARTIM timer expired (Evt18), or the local user wants
#     something (Evt1, 7, 8, 9, 11, 14, 15). The local user of this program is the program itself: it accepts or rejects
#     (Evt7, Evt8), sends the C-ECHO-RSP (Evt9), agrees to a release (Evt14), and aborts where a message cannot be
#     answered, a timeout of -td ends, or the server stops (Evt15).
#
#     An *action* is what is done about an event, and it leads to the next state. The table names one action for each
#     event in each state. A blank cell is an event that cannot happen there; it raises Undefined.
#
#     The *ARTIM timer* (9.1.4) keeps a peer from holding a connection open without an association: it runs in Sta2 and
#     Sta13 alone, and its expiry closes the connection.
#
# How it is used
#     association.Association, a Machine, turns each thing that happens into an event and gives it to handle(), which goes
#     to the next state, starts or stops ARTIM as the action says, and calls the method of the action's name (AE-6:
#     ``ae_6``). An action that tells the local user may cause the user's own event, which takes the same way. Some
#     actions need no more of a PDU than its header: they are carried out before the rest has arrived.

class Term(object):
    """A state of PS3.8 Tables 9-1 to 9-5, or an event of Table 9-10: its name and what it means."""

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning
        self.cells = {}     # of a state: {event: action}, its column of the table

    def __repr__(self):
        return self.name


# One of the 28 actions of PS3.8 Tables 9-6 to 9-9: its name; its two next states, which are the same but for AE-6
# (acceptable, not acceptable) and AR-8 (association requestor, association acceptor); for each of them what becomes of the
# ARTIM timer (START, STOP, or None); how much it needs of the PDU that led to it (HEADER: the rest is skipped; WHOLE; None
# where no PDU leads to it); what it does.
Action = collections.namedtuple("Action", "name next_states artim needs meaning")

Sta1 = Term("Sta1", "idle")
Sta2 = Term("Sta2", "transport connection open, awaiting A-ASSOCIATE-RQ")
Sta3 = Term("Sta3", "awaiting local A-ASSOCIATE response")
Sta4 = Term("Sta4", "awaiting transport connection opening")
Sta5 = Term("Sta5", "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ")
Sta6 = Term("Sta6", "association established, ready for data transfer")
Sta7 = Term("Sta7", "awaiting A-RELEASE-RP")
Sta8 = Term("Sta8", "awaiting local A-RELEASE response")
Sta9 = Term("Sta9", "release collision requestor side, awaiting local A-RELEASE response")
Sta10 = Term("Sta10", "release collision acceptor side, awaiting A-RELEASE-RP")
Sta11 = Term("Sta11", "release collision requestor side, awaiting A-RELEASE-RP")
Sta12 = Term("Sta12", "release collision acceptor side, awaiting local A-RELEASE response")
Sta13 = Term("Sta13", "awaiting transport connection close")
STATES = (Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13)

Evt1 = Term("Evt1", "A-ASSOCIATE request (local user)")
Evt2 = Term("Evt2", "transport connection confirmed")
Evt3 = Term("Evt3", "A-ASSOCIATE-AC received")
Evt4 = Term("Evt4", "A-ASSOCIATE-RJ received")
Evt5 = Term("Evt5", "transport connection indication")
Evt6 = Term("Evt6", "A-ASSOCIATE-RQ received")
Evt7 = Term("Evt7", "A-ASSOCIATE response: accept (local user)")
Evt8 = Term("Evt8", "A-ASSOCIATE response: reject (local user)")
Evt9 = Term("Evt9", "P-DATA request (local user)")
Evt10 = Term("Evt10", "P-DATA-TF received")
Evt11 = Term("Evt11", "A-RELEASE request (local user)")
Evt12 = Term("Evt12", "A-RELEASE-RQ received")
Evt13 = Term("Evt13", "A-RELEASE-RP received")
Evt14 = Term("Evt14", "A-RELEASE response (local user)")
Evt15 = Term("Evt15", "A-ABORT request (local user)")
Evt16 = Term("Evt16", "A-ABORT received")
Evt17 = Term("Evt17", "transport connection closed")
Evt18 = Term("Evt18", "ARTIM timer expired")
Evt19 = Term("Evt19", "unrecognized or invalid PDU received")
EVENTS = (Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15, Evt16, Evt17,
          Evt18, Evt19)

START, STOP = "start", "stop"
HEADER, WHOLE = "header", "whole"
FIRST, SECOND = 0, 1        # which of an action's two next states

# PS3.8 Tables 9-6 to 9-9: action, next state, what becomes of the ARTIM timer, how much of the PDU it needs, effect.
ACTION_LINES = """
AE-1   Sta4        -           -        open the transport connection
AE-2   Sta5        -           -        send A-ASSOCIATE-RQ
AE-3   Sta6        -           whole    confirm the association to the user
AE-4   Sta1        -           whole    confirm the rejection to the user, close
AE-5   Sta2        start       -        accept the transport connection
AE-6   Sta3/Sta13  stop/start  whole    acceptable: indicate the association to the user; if not: send A-ASSOCIATE-RJ
AE-7   Sta6        -           -        send A-ASSOCIATE-AC
AE-8   Sta13       start       -        send A-ASSOCIATE-RJ
DT-1   Sta6        -           -        send P-DATA-TF
DT-2   Sta6        -           whole    hand the P-DATA to the user
AR-1   Sta7        -           -        send A-RELEASE-RQ
AR-2   Sta8        -           whole    indicate the release to the user
AR-3   Sta1        -           whole    confirm the release to the user, close
AR-4   Sta13       start       -        send A-RELEASE-RP
AR-5   Sta1        stop        -        stop ARTIM
AR-6   Sta7        -           whole    hand the P-DATA to the user
AR-7   Sta8        -           -        send P-DATA-TF
AR-8   Sta9/Sta10  -           whole    indicate the release collision to the user
AR-9   Sta11       -           -        send A-RELEASE-RP
AR-10  Sta12       -           whole    confirm the release to the user
AA-1   Sta13       start       header   send A-ABORT (service-user)
AA-2   Sta1        stop        whole    close the transport connection
AA-3   Sta1        -           whole    indicate the abort to the user, close
AA-4   Sta1        -           -        indicate the loss of the connection to the user
AA-5   Sta1        stop        -        stop ARTIM
AA-6   Sta13       -           header   ignore the PDU
AA-7   Sta13       -           header   send A-ABORT
AA-8   Sta13       start       header   send A-ABORT (service-provider), indicate it to the user
"""

# PS3.8 Table 9-10, laid out as in the standard. A dot is a blank cell.
TABLE_LINES = """
       Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""


def read_actions(lines, states):
    """{name: Action} of ACTION_LINES."""
    words = dict((word, word) for word in (START, STOP, HEADER, WHOLE))
    actions = {}
    for line in lines.strip().splitlines():
        name, following, timer, needs, meaning = line.split(None, 4)
        following = [states[state] for state in (following.split("/") * 2)[:2]]
        timer = [words.get(word) for word in (timer.split("/") * 2)[:2]]
        actions[name] = Action(name, tuple(following), tuple(timer), words.get(needs), meaning)
    return actions


def read_table(lines, states, events, actions):
    """Fill the cells of each state from TABLE_LINES; blank cells are absent."""
    rows = [line.split() for line in lines.strip().splitlines()]
    for row in rows[1:]:
        for state, name in zip(rows[0], row[1:]):
            if name != ".":
                states[state].cells[events[row[0]]] = actions[name]


STATES_BY_NAME = dict((state.name, state) for state in STATES)
ACTIONS = read_actions(ACTION_LINES, STATES_BY_NAME)
read_table(TABLE_LINES, STATES_BY_NAME, dict((event.name, event) for event in EVENTS), ACTIONS)


class Undefined(Exception):
    """An event that PS3.8 Table 9-10 leaves blank in this state: a mistake of the program, never a peer's doing."""

    def __str__(self):
        state, event = self.args
        return "%s (%s) has no cell in %s (%s)" % (event, event.meaning, state, state.meaning)


class Machine(object):
    """The state of one association, and the driver of the table. It starts in Sta1, and is over when it is there again.

    A subclass has artim(), moved(), and methods for the actions.

    :param methods: {name of an action: the function that carries it out}, of those that it can come to
    :param trace: whether moved() is called
    """

    __slots__ = ("state", "methods", "trace")

    def __init__(self, methods, trace):
        self.state = Sta1
        self.methods = methods
        self.trace = trace

    def handle(self, event, value=None, branch=SECOND):
        """Go to the next state, and carry out the action, as the table says. Raises Undefined where it has no cell.

        :param value: what came with the event; the action says of which type
        :param branch: FIRST or SECOND where the action has two next states: AE-6 has FIRST for an acceptable request
        """
        state = self.state
        try:
            name, next_states, artim, _, _ = state.cells[event]
        except KeyError:
            raise Undefined(state, event)
        self.state = next_states[branch]
        if self.trace:
            self.moved(state, event, name)
        if artim[branch]:
            self.artim(artim[branch])
        self.methods[name](self, value)

    def moved(self, state, event, action):
        """A step from ``state`` to the present one."""

    def artim(self, what):
        """START or STOP the ARTIM timer."""

    def allows(self, event):
        """Whether the table has a cell for this event now."""
        return event in self.state.cells

    @property
    def over(self):
        """Whether there is no association and no connection (Sta1)."""
        return self.state is Sta1

    @property
    def associated(self):
        """Whether there is an association: accepted or to be accepted, and not released, rejected or aborted."""
        return self.state not in (Sta1, Sta2, Sta13)

    @property
    def closing(self):
        """Whether all is said, and only the end of the connection is awaited (Sta13)."""
        return self.state is Sta13


# ---- dul/acse.py ----------------------------------------------------------------------------------------------------
# What an A-ASSOCIATE-RQ is answered with (PS3.8 7.1, 9.3.3; PS3.7 D.3).

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


# ---- dul/dimse.py ---------------------------------------------------------------------------------------------------
# Command sets, their fragments, C-ECHO request and response (PS3.7 6.3, 9.1.5, 9.3.5; PS3.8 Annex E).

ELEMENT_HEADER = struct.Struct("<HHI")      # group, element, value length: always Implicit VR Little Endian
US = struct.Struct("<H")
MOST_ECHOES = 16            # remembered for one Decision on an A-ASSOCIATE-RQ


def decode_command(data):
    """{element number in group 0000: bytes} of a command set, without its length. Raises MessageError if broken."""
    command, offset, end = {}, 0, len(data)
    while offset < end:
        if end - offset < ELEMENT_HEADER.size:
            raise _invalid(offset, "element", "cut off: %s left" % counted(end - offset, "byte"), "8 bytes at least")
        group, element, length = ELEMENT_HEADER.unpack_from(data, offset)
        if group:
            raise _invalid(offset, "group", "%04XH" % group, "0000H")
        if element in command:
            raise _invalid(offset, element_name(element), "there a second time", "once at most")
        offset += ELEMENT_HEADER.size
        if length > end - offset:
            raise _invalid(offset - 4, "Value Length of " + element_name(element), "%d" % length,
                           "at most %d" % (end - offset))
        command[element] = data[offset:offset + length]
        offset += length
    command.pop(COMMAND_GROUP_LENGTH, None)
    return command


def encode_command(elements):
    """A whole command set of ascending (element number in group 0000, bytes), with its Command Group Length."""
    body = b"".join([ELEMENT_HEADER.pack(0, element, len(value)) + value for element, value in elements])
    return ELEMENT_HEADER.pack(0, COMMAND_GROUP_LENGTH, 4) + struct.pack("<I", len(body)) + body


def number_of(command, element):
    """The value of an element of VR US. Raises MessageError where it is absent, or not two bytes long."""
    value = command.get(element)
    if value is None or len(value) != US.size:
        raise MessageError("command set: %s is %s, due: 2 bytes (PS3.7 E.1)" % (
            element_name(element), "absent" if value is None else "%d bytes long" % len(value)))
    return US.unpack(value)[0]


def echo_command(field, id_element, message_id, sop_class, *more):
    """The command set of a C-ECHO-RQ or -RSP (PS3.7 9.3.5). ``id_element``: the number of the Message ID's element."""
    return encode_command([
        (AFFECTED_SOP_CLASS_UID, sop_class + b"\0" * (len(sop_class) % 2)),     # even length (PS3.5 9.1)
        (COMMAND_FIELD, US.pack(field)), (id_element, US.pack(message_id)),
        (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET))] + list(more))


def to_pdus(context_id, command, maximum_length):
    """The P-DATA-TF PDUs of a command set, encoded, one PDV each. Raises MessageError where nothing would fit in one.

    :param maximum_length: the longest PDU-length that the peer takes, in bytes; 0: no limit
    """
    most = len(command)
    if maximum_length:
        if maximum_length < MINIMUM_MAXIMUM_LENGTH:
            raise MessageError("A-ASSOCIATE-RQ: Maximum-length-received is %d, due: 0 or at least %d, or nothing can "
                               "be answered (PS3.8 D.1)" % (maximum_length, MINIMUM_MAXIMUM_LENGTH))
        most = (maximum_length - PDV_OVERHEAD) // 2 * 2
    return [encode_p_data(context_id, COMMAND_FRAGMENT | (LAST_FRAGMENT if start + most >= len(command) else 0),
                          command[start:start + most]) for start in range(0, len(command), most)]


def common_request(context_id, message_id):
    """The P-DATA-TF with a whole C-ECHO-RQ as most SCUs send it."""
    return to_pdus(context_id, echo_command(C_ECHO_RQ, MESSAGE_ID, message_id, VERIFICATION), 0)[0]


class Echo(object):
    """A C-ECHO-RQ (PS3.7 9.3.5.1), decoded from its command set, and its answer.

    :param maximum_length: as in to_pdus()
    :raises MessageError: where it is another command, lacks what a C-ECHO-RQ has, or announces a data set
    :ivar sop_class: Affected SOP Class UID; Verification where it is absent, which is tolerated
    :ivar status: the Status that it is answered with (PS3.7 9.1.5.1.4); ``refusal``: why, where that is not Success
    :ivar response: the command set of the C-ECHO-RSP; it names the SOP class of the request (PS3.7 9.1.5)
    """

    def __init__(self, context_id, command, maximum_length):
        self.context_id, self.command = context_id, command
        elements = decode_command(command)
        field = number_of(elements, COMMAND_FIELD)
        if field != C_ECHO_RQ:
            raise MessageError("%s on Verification, which has C-ECHO-RQ alone (PS3.7 9.1.5)" % command_name(field))
        self.message_id = number_of(elements, MESSAGE_ID)
        data_set = number_of(elements, COMMAND_DATA_SET_TYPE)
        if data_set != NO_DATA_SET:
            raise MessageError("C-ECHO-RQ with a data set: %s is %04XH, due: %04XH (PS3.7 9.3.5.1)" % (
                element_name(COMMAND_DATA_SET_TYPE), data_set, NO_DATA_SET))
        self.sop_class = unpadded(elements.get(AFFECTED_SOP_CLASS_UID, VERIFICATION))
        if len(self.sop_class) > UID_LENGTH:
            raise MessageError("command set: Affected SOP Class UID is %d bytes long, due: at most %d (PS3.5 9.1)" % (
                len(self.sop_class), UID_LENGTH))
        self.status = SUCCESS if self.sop_class == VERIFICATION else SOP_CLASS_NOT_SUPPORTED
        self.refusal = "" if self.status == SUCCESS else (
            "C-ECHO-RQ for %s, not for Verification: answered with status %04XH, %s (PS3.7 9.1.5)" % (
                uid_name(self.sop_class), self.status, STATUS_NAMES[self.status]))
        self.response = echo_command(C_ECHO_RSP, MESSAGE_ID_BEING_RESPONDED_TO, self.message_id, self.sop_class,
                                     (STATUS, US.pack(self.status)))
        self.pdus = to_pdus(context_id, self.response, maximum_length)


class EchoService(object):
    """The DIMSE service of one association: P-DATA-TF in, C-ECHO-RSP out. Fragments are kept in bounded memory.

    :param contexts: the IDs of the accepted presentation contexts; ``maximum_length``: as in to_pdus()
    :param remembered: {P-DATA-TF: its Echo, in a tuple} for all associations with the same contexts and length: the same
        bytes have the same answer. Only the common C-ECHO-RQ is kept, of which a peer chooses two numbers, MOST_ECHOES times.
    """

    __slots__ = ("contexts", "maximum_length", "remembered", "context_id", "fragments", "size")

    def __init__(self, contexts, maximum_length, remembered):
        self.contexts = contexts
        self.maximum_length = maximum_length
        self.remembered = remembered
        self.context_id, self.fragments, self.size = None, bytearray(), 0     # of the command set that has begun

    def receive(self, data):
        """The Echoes that a whole P-DATA-TF completes, to be gone through once. Raises InvalidPDU where it is broken;
        going through them, MessageError where a message, or a PDV of it, cannot be answered."""
        echoes = self.remembered.get(data)
        if echoes is None or self.context_id is not None:
            return self._echoes(data, decode_p_data(data))
        return echoes

    def _echoes(self, data, pdvs):
        whole = self.context_id is None     # no command set has begun before this PDU
        for pdv in pdvs:
            command = self.add(pdv)
            if command is not None:
                try:
                    echo = Echo(pdv.context_id, command, self.maximum_length)
                except MessageError as error:
                    error.unanswered = pdv.context_id, command
                    raise
                if whole and data == common_request(pdv.context_id, echo.message_id):
                    if len(self.remembered) >= MOST_ECHOES:
                        self.remembered.clear()
                    self.remembered[data] = (echo,)
                yield echo

    def add(self, pdv):
        """The command set that a PDV completes (PS3.8 Annex E), or None. Raises MessageError where none is due."""
        if pdv.context_id not in self.contexts:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d, due: one that was accepted (%s) "
                               "(PS3.8 9.3.5.1)" % (pdv.context_id, ", ".join(["%d" % each for each in self.contexts])))
        if not pdv.control & COMMAND_FRAGMENT:
            raise MessageError("P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)")
        if self.context_id not in (None, pdv.context_id):
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d in the middle of a command set, due: %d "
                               "(PS3.8 E.1)" % (pdv.context_id, self.context_id))
        self.context_id = pdv.context_id
        self.fragments += pdv.fragment      # not a list: small objects take many times the memory of their bytes
        self.size += max(2, len(pdv.fragment))      # at least 2, or empty fragments could go on for ever
        if self.size > LARGEST_COMMAND_SET:
            raise MessageError("command set: longer than %d bytes, the most that is taken here" % LARGEST_COMMAND_SET)
        if not pdv.control & LAST_FRAGMENT:
            return None
        command = bytes(self.fragments)
        self.context_id, self.fragments, self.size = None, bytearray(), 0
        return command


def _invalid(offset, field, found, due):
    return MessageError("command set: %s at byte %d is %s, due: %s (PS3.7 6.3.1)" % (field, offset, found, due))


# ---- dul/association.py ---------------------------------------------------------------------------------------------
# One association, from accept to close, as PS3.8 sees it: an acceptor that answers C-ECHO.
#
# Its owner calls a method for each thing that happens: open(), header(), pdu(), lost(), expired(), abort(), release().
# What is to be done then, and what happened, is in ``effects``: a list of (kind, value), in their order. The owner
# carries out the effects and tells the facts; nothing comes back.
#
# Effects:
#     SEND, bytes: send one PDU.
#     CLOCK, (option, seconds): from now on receiving ends after so many seconds, and expired() is due; 0 seconds: never.
# Facts:
#     REQUESTED, Decision: an A-ASSOCIATE-RQ came. ACCEPTED, Decision: it is accepted. ECHOED, Echo: a C-ECHO-RQ is
#     answered. MOVED, (state, event, name of the action, next state): a step of the state machine, where ``trace`` asks for it.
# Facts of which each association has one, which ends it:
#     REJECTED, Rejected. RELEASED, None. ABORTING, PeerError: this side aborts because of it. ABORTED, Aborted: the peer
#     aborts. LOST, ConnectionLost. BARE, ConnectionLost: it ended without one byte from the peer. EXPIRED, Expired: ARTIM
#     ended before the A-ASSOCIATE-RQ came.

# Effects, facts, and the facts that end an association
SEND, CLOCK = "send", "clock"
MOVED, REQUESTED, ACCEPTED, ECHOED = "moved", "received", "accepted", "echoed"
ENDS = REJECTED, RELEASED, ABORTING, ABORTED, LOST, BARE, EXPIRED = (
    "rejected", "released", "aborting", "aborted", "lost", "bare", "expired")

# What the owner is to do with a PDU after its header
READ, SKIP, SEEK, DISCARD = "read", "skip", "seek", "discard"

EVENT_OF_PDU = {A_ASSOCIATE_AC: Evt3, A_ASSOCIATE_RJ: Evt4, A_ASSOCIATE_RQ: Evt6, P_DATA_TF: Evt10,
                A_RELEASE_RQ: Evt12, A_RELEASE_RP: Evt13, A_ABORT: Evt16}


class Acceptor(Machine):
    """What an acceptor does: the actions of PS3.8 Tables 9-6 to 9-9 that it can come to, in the standard's order."""

    __slots__ = ("settings", "effects", "undecided", "service", "clock", "echoes", "ended")

    def __init__(self, settings, trace):
        Machine.__init__(self, self.METHODS, trace)
        self.settings = settings
        self.effects = []           # (kind, value); the owner takes them out
        self.undecided = None       # the Decision that the user has to respond to
        self.service = None         # EchoService, once accepted
        self.clock = ("", 0)        # the option and the seconds of the deadline that runs
        self.echoes = 0
        self.ended = False          # whether the fact that ends it was told

    def moved(self, state, event, action):
        """A step of the state machine, from ``state`` to the present one."""
        self.effects.append((MOVED, (state, event, action, self.state)))

    def artim(self, what):
        """START or STOP the ARTIM timer."""
        if what is START:
            self.start_clock("-ta", self.settings.acse_timeout or CLOSING_SECONDS)
        else:
            self.start_clock("", 0)

    def start_clock(self, option, seconds):
        """From now on, receiving ends after so many seconds (0: never), because of this option."""
        self.clock = (option, seconds)
        self.effects.append((CLOCK, self.clock))

    def end(self, fact, value):
        """Tell the one fact that ends this association; later ones only concern the connection."""
        if not self.ended:
            self.ended = True
            self.effects.append((fact, value))

    def send(self, data):
        """Send a PDU."""
        self.effects.append((SEND, data))

    def ae_5(self, _):
        """The connection is accepted: ARTIM runs, or -to where that ends first; neither, where both are 0."""
        artim, seconds = self.settings.acse_timeout, self.settings.timeout
        if not artim or 0 < seconds < artim:
            self.start_clock("-to" if seconds else "", seconds)

    def ae_6(self, what):
        """Indicate the A-ASSOCIATE-RQ (a Decision) to the user, or reject it (Rejected)."""
        if type(what) is Decision:
            self.undecided = what
        else:
            self.ae_8(what)

    def ae_7(self, decision):
        """Send A-ASSOCIATE-AC. From now on -td bounds the wait for a message."""
        self.service = EchoService(decision.contexts, decision.maximum_length, decision.echoes)
        self.effects.append((ACCEPTED, decision))
        if self.settings.dimse_timeout:
            self.start_clock("-td", self.settings.dimse_timeout)
        self.send(decision.ac)

    def ae_8(self, error):
        """Send A-ASSOCIATE-RJ."""
        self.end(REJECTED, error)
        self.send(encode_associate_rj(error.reject))

    def dt_1(self, echo):
        """Send the P-DATA-TF PDUs of a C-ECHO-RSP."""
        for pdu in echo.pdus:
            self.effects.append((SEND, pdu))
        self.echoes += 1
        if self.settings.dimse_timeout:
            self.start_clock("-td", self.settings.dimse_timeout)

    def dt_2(self, echoes):
        """P-DATA-TF received: the user answers each C-ECHO-RQ that it completes (Evt9), or aborts."""
        try:
            for echo in echoes:
                self.effects.append((ECHOED, echo))
                self.handle(Evt9, echo)
        except MessageError as error:
            self.handle(Evt15, error)

    def ar_1(self, _):
        """Send A-RELEASE-RQ. -ta bounds the wait for the answer."""
        self.start_clock("-ta", self.settings.acse_timeout or CLOSING_SECONDS)
        self.send(RELEASE_RQ)

    def ar_2(self, _):
        """The peer asks for the release: the user agrees at once, as it must (PS3.8 7.2)."""
        self.handle(Evt14)

    def ar_3(self, _):
        """The release that this side asked for is confirmed."""
        self.end(RELEASED, None)

    def ar_4(self, _):
        """Send A-RELEASE-RP."""
        self.end(RELEASED, None)
        self.send(RELEASE_RP)

    def ar_5(self, _):
        """The connection is closed after all was said."""

    ar_6 = ar_5     # P-DATA-TF received after our A-RELEASE-RQ: nothing can be sent any more (Sta7 has no cell for Evt9)
    ar_7 = dt_1     # send P-DATA-TF between the peer's A-RELEASE-RQ and the answer to it
    ar_8 = ar_5     # release collision: an acceptor waits for the peer's A-RELEASE-RP first
    ar_10 = ar_2    # that A-RELEASE-RP arrived: now the peer's own release is answered

    def aa_1(self, error):
        """Send A-ABORT as the service user."""
        if isinstance(error, InvalidPDU):
            error.opening = True        # only Sta2 has AA-1 for Evt19
        self.end(ABORTING, error)
        self.send(encode_abort(ABORT_BY_USER))

    def aa_2(self, error):
        """Close: ARTIM expired (Expired), or the peer aborts (Aborted)."""
        self.end(EXPIRED if isinstance(error, Expired) else ABORTED, error)

    aa_3 = aa_2     # the peer aborts the association

    def aa_4(self, error):
        """The connection is lost."""
        self.end(LOST, error)

    def aa_5(self, error):
        """The connection is lost before the A-ASSOCIATE-RQ was there."""
        self.end(LOST if error.progress or isinstance(error, ClosedHere) else BARE, error)

    aa_6 = ar_5     # ignore what comes after the end

    def aa_7(self, error):
        """Send A-ABORT once more."""
        self.send(encode_abort(error.abort))

    def aa_8(self, error):
        """Send A-ABORT as the service provider."""
        self.end(ABORTING, error)
        self.send(encode_abort(error.abort))

    # The other actions belong to the requestor, or to a release that the requestor began.
    METHODS = {"AE-5": ae_5, "AE-6": ae_6, "AE-7": ae_7, "AE-8": ae_8, "DT-1": dt_1, "DT-2": dt_2, "AR-1": ar_1,
               "AR-2": ar_2, "AR-3": ar_3, "AR-4": ar_4, "AR-5": ar_5, "AR-6": ar_6, "AR-7": ar_7, "AR-8": ar_8,
               "AR-10": ar_10, "AA-1": aa_1, "AA-2": aa_2, "AA-3": aa_3, "AA-4": aa_4, "AA-5": aa_5, "AA-6": aa_6,
               "AA-7": aa_7, "AA-8": aa_8}


class Association(Acceptor):
    """The acceptor's side of one association: what can happen, as events of the state machine.

    :param admit: called once, when an acceptable A-ASSOCIATE-RQ came: whether there is room for one association more
    :param trace: whether each step of the state machine is a fact (MOVED)
    """

    __slots__ = ("negotiator", "limits", "admit", "event")

    def __init__(self, negotiator, admit, trace=False):
        Acceptor.__init__(self, negotiator.settings, trace)
        self.negotiator = negotiator
        self.limits = negotiator.limits
        self.admit = admit
        self.event = None           # of the PDU whose header was accepted

    def open(self):
        """The transport connection was accepted (Evt5)."""
        self.handle(Evt5)

    def header(self, pdu_type, length, data):
        """The first six bytes of a PDU arrived, and perhaps more of its ``data``. Returns what is to be done with it:

        READ: pdu() is due with the whole PDU. SKIP: the rest of it is thrown away. SEEK: likewise, but an A-ABORT in it is
        heard. DISCARD: nothing tells where the next PDU begins; all that follows is thrown away up to an A-ABORT.
        """
        limits = self.limits.get(pdu_type)
        if limits is None or not limits[0] <= length <= limits[1]:
            lost = self.closing or limits is not None
            self.invalid(invalid_header(pdu_type, length, self.limits), data)
            return DISCARD if lost else SEEK
        self.event = event = EVENT_OF_PDU[pdu_type]
        if self.state.cells[event].needs is HEADER:
            self.handle(event, UnexpectedPDU(PDU_NAMES[pdu_type], self.state))
            return SKIP
        if length > LARGEST_RQ:     # a P-DATA-TF, where -pdu allows more
            self.handle(Evt15, MessageError("P-DATA-TF: PDU-length is %d, more than any C-ECHO-RQ needs" % length))
            return SKIP
        return READ

    def pdu(self, data):
        """The whole PDU arrived whose header was accepted."""
        event, value = self.event, None
        try:
            if event is Evt10:
                value = self.service.receive(data)
            elif event is Evt6:
                return self.requested(self.negotiator.decide(data))
            elif event is Evt16:
                value = Aborted(*decode_abort(data))
        except InvalidPDU as error:
            return self.invalid(error, data)
        self.handle(event, value)

    def invalid(self, error, data):
        """An unrecognized or invalid PDU arrived (Evt19)."""
        error.data = data
        self.handle(Evt19, error)

    def requested(self, decision):
        """An A-ASSOCIATE-RQ arrived (Evt6): the service provider judges it (AE-6)."""
        self.effects.append((REQUESTED, decision))
        rejected = decision.rejected
        if rejected is None or rejected.by_user:
            if self.admit():
                return self.handle(Evt6, decision, FIRST)
            rejected = Rejected(REJECT_LOCAL_LIMIT, "too many associations at once")
        self.handle(Evt6, rejected, SECOND)

    def respond(self):
        """The service user answers the A-ASSOCIATE-RQ (Evt7, Evt8); where no context can be used, it aborts then."""
        decision, self.undecided = self.undecided, None
        rejected = decision.rejected
        if rejected is not None:
            return self.handle(Evt8, rejected)
        self.handle(Evt7, decision)
        if not decision.contexts:
            self.handle(Evt15, MessageError(decision.problem()))

    def lost(self, error):
        """The transport connection is closed (Evt17); ``error`` is a ConnectionLost."""
        error.state, error.echoes = self.state, self.echoes
        self.handle(Evt17, error)

    def expired(self, progress):
        """A deadline passed: of ARTIM where it runs (Evt18), else of the service user (Evt15). See Expired."""
        option, seconds = self.clock
        self.handle(Evt18 if self.allows(Evt18) else Evt15, Expired(option, seconds, self.state, progress))

    def abort(self, error):
        """The service user aborts for a reason (Evt15), if there is an association. Returns whether there was."""
        if not self.allows(Evt15):
            return False
        self.undecided = None
        self.handle(Evt15, error)
        return True

    def release(self):
        """The service user asks for the release (Evt11), if an association is established. Returns whether one was."""
        if not self.allows(Evt11):
            return False
        self.handle(Evt11)
        return True


# ---- dul/compat.py --------------------------------------------------------------------------------------------------
# The only tests of the Python version and the platform.

PY2 = sys.version_info[0] == 2
WINDOWS = os.name == "nt"
PREFER_LOCAL = PREFER_BIG if sys.byteorder == "big" else PREFER_LITTLE

NO_SOCKETSERVER = "this Python has no module socketserver: install Debian's package libpython3-stdlib or its like"
try:
    if PY2:
        import SocketServer as socketserver
        from thread import error as ThreadError, get_ident, start_new_thread
    else:
        import socketserver
        from _thread import error as ThreadError, get_ident, start_new_thread
except ImportError:
    if __name__ == "__main__":
        sys.exit("echoscp.py: " + NO_SOCKETSERVER)
    raise ImportError(NO_SOCKETSERVER)

try:
    import mmap
except ImportError:     # a stripped-down Python
    mmap = None         # type: ignore[assignment]

# The clock of every deadline: seconds that never go back. Python 2 has no time.monotonic, but os.times() counts from
# boot on POSIX (in steps of 10 ms), and time.clock() from its first call on Windows.
monotonic = getattr(time, "monotonic", None) or (time.clock if WINDOWS else lambda: os.times()[4])


def codes_of(*names):
    """The numbers of errors by their names; sockets of Windows have numbers of their own."""
    return tuple([getattr(errno, each) for name in names for each in (name, "WSA" + name) if hasattr(errno, each)])


INTERRUPTED = codes_of("EINTR")
NOT_NOW = codes_of("EAGAIN", "EWOULDBLOCK")
CLOSED_BY_PEER = codes_of("ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN")
OUT_OF_RESOURCES = codes_of("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")
NOT_PERMITTED = codes_of("EACCES", "EPERM")
IN_USE = codes_of("EADDRINUSE")

# Whether shutdown() wakes a recv() in another thread. On Windows it does not.
SHUTDOWN_WAKES = not WINDOWS

# Seconds until a server looks for its end even if nothing wakes it; None: it is always woken. On Windows a signal does
# not end a blocking recv() of Python 2, and in Wine one of two threads that wake it at once may fail to.
POLL_INTERVAL = 0.5 if WINDOWS else None

# Linux with a 64-bit C long: struct timeval is two longs, and SO_RCVTIMEO and SO_SNDTIMEO save a poll() before each
# recv() and send(), which settimeout() would cost.
KERNEL_TIMEOUTS = sys.platform.startswith("linux") and struct.calcsize("l") == 8


def set_timeout(sock, seconds, sending=False):
    """Bound each recv() or each send() of a socket; None: no bound. One holds for both without kernel timeouts."""
    if KERNEL_TIMEOUTS:
        whole = 0 if seconds is None else int(seconds)
        micro = 0 if seconds is None else int(seconds % 1 * 1000000) or 1      # 0, 0 would be no bound
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO if sending else socket.SO_RCVTIMEO,
                        struct.pack("ll", whole, micro))
    else:
        sock.settimeout(seconds)


def socket_pair():
    """Two connected sockets; Windows has no socketpair() before Python 3.5."""
    if hasattr(socket, "socketpair"):
        return socket.socketpair()
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        one = socket.create_connection(listener.getsockname())
        other, address = listener.accept()
        if address != one.getsockname():
            raise socket.error("another process connected first")
        return one, other
    finally:
        listener.close()


def waiter(socks):
    """A function that blocks until one of these sockets can be read; for one thread at a time."""
    if not hasattr(select, "poll"):     # Windows
        return lambda: select.select(socks, [], [])
    poll = select.poll()
    for sock in socks:
        poll.register(sock.fileno(), select.POLLIN)
    return poll.poll


def timeout_of(sock):
    """What settimeout() takes to leave a listening socket as it is now: its open file may be non-blocking for others."""
    try:
        import fcntl
        if sock.gettimeout() is None and fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK:
            return 0.0
    except ImportError:     # Windows
        pass
    return sock.gettimeout()


def raise_file_limit():
    """Raise the soft limit of open files to the hard one, where there is such a limit."""
    try:
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except Exception:   # there is none, or the system refuses: Python 2 raises an exception of the module's own
        pass


def schedule_as_batch():
    """A thread that wakes shall not preempt the one that holds the GIL, and then wait for it: SCHED_BATCH, sched(7)."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:      # no policy was chosen from outside
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, EnvironmentError):  # another system, before Python 3.3, or forbidden
        pass


def is_ignored(number):
    """Whether this signal was ignored when the process began, as nohup arranges it."""
    if signal.getsignal(number) == signal.SIG_IGN:
        return True
    try:        # PyPy does not ask the system
        with open("/proc/self/status", "rb") as status:     # bytes: the name of the process may be in any encoding
            masks = [line.split()[1] for line in status if line.startswith(b"SigIgn:")]
        return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)
    except EnvironmentError:
        return False


def ending_signals():
    """The signals that are to end a server: SIGINT, SIGTERM, SIGHUP; on Windows Ctrl-C and Ctrl-Break."""
    names = ("SIGINT", "SIGBREAK", "SIGTERM") if WINDOWS else ("SIGINT", "SIGTERM", "SIGHUP")
    return [number for number in [getattr(signal, name) for name in names if hasattr(signal, name)]
            if not is_ignored(number)]


def wake_on_signal(sock):
    """Have the interpreter write to this non-blocking socket when a signal comes, whichever thread receives it."""
    try:
        signal.set_wakeup_fd(sock.fileno(), warn_on_full_buffer=False)
    except TypeError:       # before Python 3.7
        signal.set_wakeup_fd(sock.fileno())
    except ValueError:      # Windows with Python 2.7 takes no sockets
        pass


# ---- dul/transport.py -----------------------------------------------------------------------------------------------
# One TCP connection: bytes in and out of a blocking socket, within one absolute deadline.

LONGEST_WAIT = 86400.0      # seconds; a longer timeout is waited for in pieces, because kernels limit the number
CLOSE_ENOUGH = 0.001        # seconds by which a wait may end after its deadline
AT_ONCE = socket.MSG_DONTWAIT if KERNEL_TIMEOUTS else 0     # a flag of send(): where there is no room, it does not wait


class DeadlinePassed(Exception):
    """The deadline of a Transport passed before anything arrived."""


class Transport(object):
    """A connected socket with a deadline for receiving, and a limit, in seconds, for the sending of each PDU."""

    __slots__ = ("sock", "send_limit", "halted", "waiting", "interrupted", "deadline", "armed")

    def __init__(self, sock, send_limit, halted=None):
        self.sock = sock
        self.send_limit = min(send_limit, LONGEST_WAIT)
        self.halted = halted    # a socket that can be read when the server stops: Windows needs it
        self.waiting = self.interrupted = False     # in select(); interrupt() was called: Windows needs these, too
        self.deadline = None    # on the monotonic clock
        self.armed = None       # seconds that the next recv() waits at most, as the socket knows it
        try:
            if not KERNEL_TIMEOUTS or sock.gettimeout() is not None:    # as the listener, or by setdefaulttimeout()
                sock.setblocking(True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except socket.error:    # some systems refuse it where the peer is gone already; the first recv() raises then
            pass

    def set_deadline(self, seconds):
        """From now on, receiving ends after so many seconds; 0: never."""
        self.deadline = monotonic() + seconds if seconds else None

    def receive(self, most):
        """Bytes that have arrived, ``most`` at most. Raises DeadlinePassed, and ConnectionLost at the end."""
        early = False       # whether the last recv() ended, and the deadline had not passed
        while True:
            try:
                if self.deadline is not None or early or not SHUTDOWN_WAKES:
                    self.arm(early)
                data = self.sock.recv(most)
                if data:
                    return data
                raise _lost()
            except (socket.error, select.error, ValueError) as error:   # ValueError: closed meanwhile, on Python 2.7
                early = _waited(error)
                if not early and getattr(error, "errno", None) not in INTERRUPTED:
                    raise _lost(error)

    def arm(self, early):
        """See to it that the next recv() ends with the deadline. Raises DeadlinePassed."""
        left = None
        if self.deadline is not None:
            left = self.deadline - monotonic()
            if left <= 0:
                raise DeadlinePassed()
            left = min(left, LONGEST_WAIT)
        if not SHUTDOWN_WAKES:
            self.waiting = True
            ready = [self.halted] if self.interrupted else select.select([self.sock, self.halted], [], [], left)[0]
            self.waiting = False
            if self.sock not in ready:
                raise ConnectionLost("closed here") if ready else socket.timeout()
        elif early or self.armed is None or self.armed > left + CLOSE_ENOUGH:
            set_timeout(self.sock, left)    # no system call where the limit is right; one too short is mended when it
            self.armed = left               # has passed

    def acknowledge(self):
        """Acknowledge what has arrived at once, not some 40 ms later: a peer that writes a PDU in two pieces with
        Nagle's algorithm on, as DCMTK's clients do, sends the second one only then."""
        if hasattr(socket, "TCP_QUICKACK"):     # Linux
            try:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except (socket.error, ValueError):      # the connection is gone: the next recv() raises
                pass

    def send(self, data):
        """Send one PDU. Returns the ConnectionLost where the peer is gone, or has not taken all of it within the limit."""
        deadline, flags, lost = None, AT_ONCE, None     # mostly there is room for all of it, and no limit to be set
        while data and not lost:
            try:
                if not flags:
                    deadline = deadline or monotonic() + self.send_limit
                    self.arm_sending(deadline - monotonic())
                data = data[self.sock.send(data, flags):]
            except (socket.error, ValueError) as error:
                lost = self.unsent(error, flags)
            flags = 0
        return lost

    def arm_sending(self, left):
        """See to it that the next send() ends within so many seconds. Raises socket.timeout where none are left."""
        if left <= 0:
            raise socket.timeout()
        set_timeout(self.sock, left, sending=True)
        self.armed = self.armed if KERNEL_TIMEOUTS else left

    def unsent(self, error, flags):
        """The ConnectionLost for what send() of the socket raised; None where a signal interrupted it, or it did not wait."""
        if not flags and _waited(error):
            return ConnectionLost("the peer has not read what was sent to it for %s s" % self.send_limit)
        return None if getattr(error, "errno", None) in NOT_NOW + INTERRUPTED else _lost(error)

    def interrupt(self, sending=False):
        """Wake, from any thread, one that is receiving as if the stream had ended; also one that is ``sending``."""
        try:
            self.interrupted = True
            self.sock.shutdown(socket.SHUT_RDWR if sending else socket.SHUT_RD)
            if not SHUTDOWN_WAKES and (sending or self.waiting and not select.select([self.halted], [], [], 0)[0]):
                self.sock.close()       # nothing else ends that wait
        except (socket.error, ValueError):
            pass

    def close(self):
        """Close the connection; what was sent is still delivered (PS3.8 9.1.4: not an abortive close)."""
        try:
            self.sock.close()
        except (socket.error, ValueError):
            pass


def _waited(error):     # for its whole timeout; the ETIMEDOUT of a dead network is a socket.timeout, too, from Python 3.10
    code = getattr(error, "errno", None)
    return code in NOT_NOW or code is None and isinstance(error, socket.timeout)


def _lost(error=None):
    lost = ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error) if error else
                          "connection closed by the peer")
    lost.closed = error is None or getattr(error, "errno", None) in CLOSED_BY_PEER
    return lost


# ---- dul/reader.py --------------------------------------------------------------------------------------------------
# The blocking PDU reader: one PDU after another from a stream, its header before the rest is waited for.

FIRST_READ = 448        # bytes: room for most PDUs that come, and a size that CPython allocates without a system call
NEXT_READ = 16384       # bytes: nothing more is allocated before it has arrived
NEVER_ALL = 1 << 62     # bytes: more than ever come
ABORT_HEADER = PDU_HEADER.pack(A_ABORT, SHORT_LENGTH)


class PDUReader(object):
    """Cuts a stream into PDUs. What ``receive`` raises passes through.

    :param receive: called with a number of bytes, returns 1 to that many; raises ConnectionLost at the end of the stream
    :param acknowledge: called when a PDU has come in part, before the rest is waited for
    """

    __slots__ = ("receive", "acknowledge", "buffer", "pdu_type", "length", "arrived")

    def __init__(self, receive, acknowledge):
        self.receive = receive
        self.acknowledge = acknowledge
        self.buffer = b""       # what has arrived and is not taken
        self.pdu_type = 0
        self.length = None      # PDU-length of the PDU at hand; None between PDUs
        self.arrived = 0        # bytes of it

    def header(self):
        """(PDU-type, PDU-length) of the next PDU."""
        while len(self.buffer) < HEADER_LENGTH:
            if self.buffer:
                self.acknowledge()
            self.buffer += self.receive(FIRST_READ)
        self.pdu_type, self.length = header = PDU_HEADER.unpack_from(self.buffer)
        self.arrived = HEADER_LENGTH
        return header

    def pdu(self):
        """The whole PDU whose header was read last."""
        total = HEADER_LENGTH + self.length
        if len(self.buffer) < total:
            self.complete(total)
        data = self.buffer[:total]
        self.buffer, self.length = self.buffer[total:], None
        return data

    def complete(self, total):
        """Wait until so many bytes of the PDU are there. Where ``receive`` raises, those that came are kept, for skip()."""
        whole, self.buffer, self.arrived = bytearray(self.buffer), b"", len(self.buffer)
        try:    # not a list: small pieces take many times the memory of their bytes
            while self.arrived < total:
                self.acknowledge()
                whole += self.receive(min(NEXT_READ, total - self.arrived))
                self.arrived = len(whole)
        finally:
            self.buffer = bytes(whole)

    def skip(self, how):
        """Throw away the PDU whose header was read last, as it arrives.

        :param how: SKIP; SEEK: end where an A-ABORT begins; DISCARD: likewise, and do not end where the PDU does
        """
        kept, self.buffer = self.buffer[HEADER_LENGTH:], b""
        left = NEVER_ALL if how is DISCARD else self.length
        overlap = 0 if how is SKIP else HEADER_LENGTH - 1   # the last bytes may be the first ones of an A-ABORT
        while left > 0:
            found = kept.find(ABORT_HEADER, 0, left + overlap) if overlap else -1
            if found >= 0:
                self.buffer, self.length = kept[found:], None
                return
            if len(kept) >= left + overlap:
                break
            gone = max(len(kept) - overlap, 0)
            left -= gone
            self.arrived += gone
            kept = kept[gone:] + self.receive(NEXT_READ)
        self.buffer, self.length = kept[max(left, 0):], None

    def progress(self):
        """How far the PDU at hand came: ``22 of 205 bytes of A-ASSOCIATE-RQ``; an empty string for nothing of it."""
        if self.length is None:
            here = len(self.buffer)
            return "%d of the %d bytes of a PDU header" % (here, HEADER_LENGTH) if 0 < here < HEADER_LENGTH else ""
        return "%d of %d bytes of %s" % (self.arrived, HEADER_LENGTH + self.length,
                                         PDU_NAMES.get(self.pdu_type, "PDU %02XH" % self.pdu_type))


# ---- dul/connection.py ----------------------------------------------------------------------------------------------
# One connection, in its handler thread: read, tell the association, carry out its effects, pass the facts on.

SEND_LIMIT = 30         # seconds that a send may take where -ta is 0
STOPS = "this server stops"
CONNECTED, RECEIVING, SENDING, CLOSED = "connected", "receiving", "sending", "closed"   # facts of the connection itself


class Connection(socketserver.BaseRequestHandler, object):
    """The request handler of EchoServer: one connection, which has one association. ``number``: from 1.

    ``request``, ``client_address`` and ``server`` are socketserver's. ``release()`` and ``abort()`` are for on_event.
    """

    def setup(self):
        """Before handle()."""
        server = self.server
        self.transport = Transport(self.request, server.settings.acse_timeout or SEND_LIMIT, server.pool.halted)
        self.reader = PDUReader(self.transport.receive, self.transport.acknowledge)
        self.titles = ("", "")      # (calling, called) AE title as text, once the A-ASSOCIATE-RQ came
        self.active = monotonic()   # when the last whole PDU came
        self.admitted = self.evicted = False    # whether its association counts; whether evict() chose it
        self.primitive = None       # the request of on_event for release or abort: a function of the Association
        debugs, informs = server.log.levels()
        self.association = Association(server.negotiator, self.admit, debugs)
        self.watched = informs or server.on_event is not None   # an echo is more than counted

    def handle(self):
        """Serve the association until its socket is closed. Nothing that the peer does raises anything."""
        self.server.admission.enter(self)
        try:
            self.tell(CONNECTED, None)
            self.association.open()
            self.apply()
            self.serve()
        except Undefined:
            self.server.fault("internal error, the connection is closed", self)
        finally:
            self.end()      # not finish(): Python 2.6 does not call that where handle() raises

    def end(self):
        """Close it, and tell that it is closed."""
        self.leave()
        self.transport.close()
        self.server.admission.depart(self)
        self.tell(CLOSED, None)

    def serve(self):
        """Receive, and see to a lost connection and to a deadline that passed, until the association is over."""
        association, reader, how = self.association, self.reader, READ
        while not association.over:
            try:
                self.receive(how)
            except ConnectionLost as error:
                self.lost(error)
            except DeadlinePassed:
                association.expired(reader.progress())
                self.apply()
            how = READ if reader.length is None else SKIP   # the rest of a PDU is no PDU

    def receive(self, how):
        """Wait for PDU after PDU, and do what is due about it. What the transport raises passes through."""
        association, reader = self.association, self.reader
        while not association.over:
            if how is not READ:
                reader.skip(how)
            if self.server.stopping and association.abort(Stopped(STOPS)):
                self.apply()
            pdu_type, length = reader.header()
            if association.trace:
                self.tell(RECEIVING, (pdu_type, length))
            how = association.header(pdu_type, length, reader.buffer)
            if how is READ:
                data, self.active = reader.pdu(), monotonic()
                association.pdu(data)
                data = b""      # or it would be kept until the next PDU
            self.apply()

    def lost(self, error):
        """The connection is gone, or this server is to close it."""
        if self.server.stopping:
            if self.association.abort(Stopped(STOPS)):
                return self.apply()
            error = ClosedHere("closed: " + STOPS)
            error.expected = True
        elif self.evicted:
            error = ClosedHere("closed here to make room for other peers")
        error.progress = self.reader.progress()
        self.association.lost(error)
        self.apply()

    def apply(self):
        """Carry out the association's effects and tell its facts, until none is left."""
        association, lost = self.association, None
        while association.effects:
            effects, association.effects = association.effects, []
            for kind, value in effects:
                if kind is SEND:
                    if association.trace:
                        self.tell(SENDING, value)
                    lost = lost or self.transport.send(value)
                elif kind is CLOCK:
                    self.transport.set_deadline(value[1])
                elif kind is not ECHOED or self.watched or value.status != SUCCESS:
                    if self.admitted and kind in ENDS:
                        self.leave()    # before the peer hears of it, or its next request may find no room
                    self.tell(kind, value)
            if self.primitive and self.primitive(association):
                self.primitive = None
            elif association.undecided:
                association.respond()
        if lost:
            lost.closed = False     # not an ordinary end: an answer did not reach the peer
            self.lost(lost)

    def tell(self, kind, value):
        """Pass a fact on to all that listen. They keep what they make of it; nothing comes back."""
        if kind is REQUESTED:
            self.titles = value.titles
        for listener in self.server.listeners:
            listener(self, kind, value)

    def admit(self):
        """Whether one association more may be established; it counts until leave()."""
        admission = self.server.admission
        self.admitted = admission.admit()
        if not self.admitted:
            self.server.log.pressure("associations", admission.congestion())
        return self.admitted

    def leave(self):
        """Its association, if it has one, is over."""
        if self.admitted:
            self.admitted = False
            self.server.admission.leave()

    @property
    def peer(self):
        """``address:port`` of the peer."""
        return peer_name(self.client_address)

    def release(self):
        """Ask the peer, from within on_event, to release the association (A-RELEASE request, PS3.8 7.2).

        It takes effect when what happens is done and an association is established; never, where none comes to be.
        """
        self.primitive = Association.release

    def abort(self):
        """Abort the association from within on_event (A-ABORT request, PS3.8 7.3), as soon as what happens is done.

        From within ``received``: before the A-ASSOCIATE-RQ is answered; ``connected``: when it has come.
        """
        self.primitive = lambda association: association.abort(Stopped("aborted by the program"))


def peer_name(address):
    """``address:port``; of an IPv4 peer in IPv4's form, of an IPv6 peer with brackets."""
    host = address[0] if address else "?"   # some systems give none where the peer is gone already
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return "%s:%d" % ("[%s]" % host if ":" in host else host, address[1] if address else 0)


# ---- dul/admission.py -----------------------------------------------------------------------------------------------
# How many connections and associations at once, and who has to go when it is too many.

GRACE = 0.5     # seconds in which a new connection is expected to begin its A-ASSOCIATE-RQ


class Admission(object):
    """The open connections, and the associations, ``most`` at once: each counts to its release, rejection or abort."""

    def __init__(self, most):
        self.most = most
        self.lock = threading.Lock()
        self.departed = threading.Condition(self.lock)
        self.connections = set()
        self.established = 0            # associations that count
        self.number = self.peak = 0     # connections so far, and at once at most

    def enter(self, connection):
        """A connection begins: it gets its number, from 1, before evict() can see it."""
        with self.lock:
            self.number += 1
            connection.number = self.number
            self.connections.add(connection)
            self.peak = max(self.peak, len(self.connections))

    def depart(self, connection):
        """A connection is over."""
        with self.lock:
            self.connections.discard(connection)
            self.departed.notify()

    def admit(self):
        """Whether one association more may be established; it counts until leave()."""
        with self.lock:
            admitted = self.established < self.most
            self.established += admitted
            return admitted

    def leave(self):
        """An association is over."""
        with self.lock:
            self.established -= 1

    def wait(self, seconds):
        """Wait until a connection is over, at most so many seconds."""
        with self.lock:
            self.departed.wait(seconds)

    def all(self):
        """The connections that are open now."""
        with self.lock:
            return list(self.connections)

    def evict(self, urgent):
        """Close the connection that is missed least, so that peers without an association cannot keep others out.

        First those whose association is over, then those silent for GRACE, then those in the middle of a request; of these
        the oldest. Newer ones only if ``urgent``; no association, unless it begins just then. Returns whether one was found.
        """
        now = monotonic()
        candidates = [
            (not each.association.closing, each.reader.progress() != "" or now - each.active < GRACE, each.number, each)
            for each in self.all()
            if not (each.evicted or each.association.associated or not urgent and now - each.active < GRACE)]
        if candidates:
            connection = min(candidates)[3]
            connection.evicted = True
            connection.transport.interrupt()
        return bool(candidates)

    def congestion(self):
        """What is said when there is no room for an association more: one sentence."""
        now = monotonic()
        idle = max([now - each.active for each in self.all() if each.admitted] or [0.0])
        return "%s open, the oldest idle for %s: -td ends idle ones" % (
            counted(self.established, "association") + (" is" if self.established == 1 else " are"), duration(idle))


def duration(seconds):
    """``12 s``, ``5 min``, ``3 h``."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return "%d %s" % (seconds // size, unit)
    return "%d s" % seconds


# ---- dul/dump.py ----------------------------------------------------------------------------------------------------
# Facts as the lines of ``-d``, in DCMTK's manner and the manual's wording.
#
# A user identity is in none of them, whatever is damaged around it: a field is shown where it looks like what it should
# be, and bytes of a broken PDU are shown only where they are known to be harmless.

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


# ---- dul/foreign.py -------------------------------------------------------------------------------------------------
# What a peer speaks that does not speak DICOM, told from its first bytes: for our user, never for the peer.
#
# Of what it sends only the first line is shown, and of that only what names no user: no query, no credentials.

SHOWN = 80              # characters of a request line or banner that are shown at most
LONGEST = 2000          # bytes of a first line that are looked at
PRINTABLE = PLAIN + b"\\"
FEW = 5                 # bytes that are shown of what is not recognized
TLS_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SERVER_NAME, SUPPORTED_VERSIONS = 0, 43     # TLS extensions (RFC 6066, RFC 8446)
SMB_VERSIONS = {b"\xffSMB": "version 1", b"\xfeSMB": "version 2 or 3"}
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_ADVICE = "a load balancer announces its client; switch that off there"
HTTP_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE", b"CONNECT", b"TRACE", b"PATCH", b"PRI")
# Other protocols of text lines: (first words, last word of the line begins with, name, who the peer is)
TEXT_PROTOCOLS = (
    ((), b"RTSP/", "RTSP", "a video client or a port scanner"),
    ((), b"SIP/", "SIP", "a telephone or a port scanner"),
    ((b"EHLO", b"HELO", b"MAIL"), b"", "SMTP", "a mail client"),
    ((b"USER", b"PASS", b"AUTH", b"FEAT", b"SYST"), b"", "FTP", "a file transfer client"),
)


def explanation(error):
    """What a PeerError tells, in one sentence: of what opens a connection and is not DICOM, which protocol it is."""
    if not isinstance(error, InvalidPDU) or not error.opening or not error.data:
        return str(error)
    sentence = protocol_of(error.data)
    if sentence is None and ord(error.data[:1]) not in PDU_NAMES:
        start = " ".join(["%02x" % code for code in bytearray(error.data[:FEW])])
        return "not DICOM: %s%s: %s" % (start, " ..." if len(error.data) > FEW else "", error)
    return sentence or str(error)


def protocol_of(data):
    """What the first bytes of a connection are and what that means, in one sentence; None where that is not known."""
    return _tls(data) or _text(_line(data)) or _binary(data)


def is_proxy_header(data):
    """Whether this is a PROXY header with nothing behind it, as in a load balancer's own health check."""
    if data.startswith(PROXY_V2):
        return len(data) >= 16 and len(data) == 16 + _uint16(data, 14)
    return data.startswith(b"PROXY ") and data.endswith(b"\r\n") and data.count(b"\n") == 1


def _tls(data):
    if data[:2] == b"\x16\x03":
        offered, server_name = client_hello(data)
        return "TLS ClientHello (%s offered%s): the peer speaks DICOM over TLS, this port does not" % (
            TLS_VERSIONS.get(offered, "version %04XH" % offered),
            ", SNI %s" % escaped(server_name[:SHOWN]) if server_name else "")
    if data[2:5] in (b"\x01\0\x02", b"\x01\x03\0", b"\x01\x03\x01") and data[:1] >= b"\x80":
        return "SSL 2 ClientHello: the peer speaks DICOM over TLS, this port does not"
    return None


def client_hello(data):
    """(highest version offered, server name) of a TLS ClientHello (RFC 8446 4.1.2), as far as it is there."""
    version, name, offset = 0, b"", 43
    try:
        version = _uint16(data, 1)      # of the record, then of the hello
        version = _uint16(data, 9)
        for size in (">B", ">H", ">B"):     # session ID, cipher suites, compression methods
            offset += struct.calcsize(size) + struct.unpack_from(size, data, offset)[0]
        offset += 2
        while True:
            extension, length = struct.unpack_from(">HH", data, offset)
            body = data[offset + 4:offset + 4 + length]
            if extension == SERVER_NAME:
                name = host_name(body)
            elif extension == SUPPORTED_VERSIONS:
                version = _highest(body, version)
            offset += 4 + length
    except struct.error:                    # the end of what is there
        return version, name


def _highest(body, version):
    offered = [_uint16(body, offset) for offset in range(1, len(body) - 1, 2)]
    return max([version] + [each for each in offered if each in TLS_VERSIONS])


def host_name(body):
    """The one host name of a server_name extension (RFC 6066 3); nothing where it may be anything else."""
    name = body[5:]
    as_due = body[:5] == struct.pack(">HBH", len(name) + 3, 0, len(name)) and name.translate(None, b"-._").isalnum()
    return name if as_due else b""


def _uint16(data, offset):
    return struct.unpack_from(">H", data, offset)[0]


def _text(line):
    words = line.split(b" ")
    for first, last, name, peer in TEXT_PROTOCOLS:
        if words[0].upper() in first or last and len(words) > 2 and words[-1].startswith(last):
            return "%s: the peer is %s" % (name, peer)
    if words[0] in HTTP_METHODS and len(words) > 1:
        path = words[1].split(b"?")[0]
        known = [words[0]] + [path] * (path[:1] in (b"/", b"*"))        # not the user in an absolute URL
        known += [each for each in words[2:] if each.startswith(b"HTTP/")][:1]
        return "HTTP request (%s): the peer is a browser, a web client or a health check" % _shown(b" ".join(known))
    if line.startswith(b"SSH-"):
        return "SSH (%s): the peer is an SSH client" % _shown(line)
    if line.startswith(b"PROXY "):
        return "PROXY protocol version 1 (%s): %s" % (_shown(line), PROXY_ADVICE)
    return None


def _binary(data):
    start = data.lstrip(b"\x0b")[:3]
    if start in (b"MSH", b"FHS", b"BHS") and data[:1] in (b"\x0b", b"M"):
        return "HL7 version 2 message (%s|...): the peer sends HL7 over MLLP, it wants another port" % as_native(start)
    if data[4:8] in SMB_VERSIONS:
        return "SMB (%s): the peer looks for Windows file shares" % SMB_VERSIONS[data[4:8]]
    if data[:2] == b"\x03\0" and data[5:6] == b"\xe0" and ord(data[4:5]) == _uint16(data, 2) - 5:     # TPKT, X.224
        return "RDP connection request: the peer looks for a Windows remote desktop"
    if data.startswith(PROXY_V2):
        return "PROXY protocol version 2: " + PROXY_ADVICE
    return None


def _line(data):
    """The first line, up to the first byte that is not printable ASCII."""
    rest = data[:LONGEST].lstrip(PRINTABLE)
    return data[:min(len(data), LONGEST) - len(rest)]


def _shown(line):
    return escaped(line[:SHOWN]) + (" ..." if len(line) > SHOWN else "")


# ---- dul/events.py --------------------------------------------------------------------------------------------------
# Facts for an embedding program (Notice), and the sums.

NOTICES = (CONNECTED, REQUESTED, ACCEPTED, ECHOED) + ENDS + (CLOSED,)
P_DATA_START = struct.pack("B", P_DATA_TF)
FAULTS = "faults"       # of this program, among the sums


class Notice(object):
    """One thing that happened, for the ``on_event`` of EchoServer.

    :ivar kind: ``connected``, ``received`` (an A-ASSOCIATE-RQ), ``accepted``, ``rejected``, ``echoed``, ``released``,
        ``aborted`` (by the peer), ``aborting`` (by this side), ``lost`` (the connection), ``bare`` (the connection
        ended without a byte), ``expired`` (ARTIM, before an A-ASSOCIATE-RQ), ``closed``
    :ivar association: the number of its connection, from 1; ``peer``: ``address:port``
    :ivar calling: Calling-AE-title as text, empty until the A-ASSOCIATE-RQ; ``called``: Called-AE-title, likewise
    :ivar message_id: of the C-ECHO-RQ, with ``echoed``; else None
    :ivar sentence: why, where something went wrong; as in the log, but for ``bare``; else an empty string
    :ivar error: the PeerError that it is about, or None
    :ivar handle: the connection: its ``release()`` and ``abort()`` may be called from within the callback
    """

    def __init__(self, connection, kind, value):
        self.kind = kind
        self.association = connection.number
        self.peer = connection.peer
        self.calling, self.called = connection.titles
        self.message_id = value.message_id if kind == ECHOED else None
        self.error = value if isinstance(value, PeerError) else None
        self.sentence = explanation(self.error) if self.error is not None else value.refusal if kind == ECHOED else ""
        self.handle = connection

    def __repr__(self):
        return "Notice(%s, association=%d, peer=%s%s)" % (
            self.kind, self.association, self.peer, ": " + self.sentence if self.sentence else "")


class Sums(object):
    """How often what happened, over all connections of a server."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}        # {kind: how often}
        self.echoes = 0
        self.slowest = 0.0      # seconds from a C-ECHO-RQ to its response at most, measured at debug alone

    def add(self, kind, echoes=0):
        """Count one of a kind, and so many echoes."""
        with self.lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.echoes += echoes

    def told(self, connection, kind, value):
        """Count what a fact says."""
        if kind in ENDS:    # none is answered after it
            self.add(EXPIRED if isinstance(value, Expired) else kind, connection.association.echoes)
        elif kind is SENDING and value[:1] == P_DATA_START:
            with self.lock:
                self.slowest = max(self.slowest, monotonic() - connection.active)

    def summary(self, admission):
        """All of it in one line."""
        count = collections.defaultdict(int, self.counts)
        echoes = self.echoes + sum([each.association.echoes for each in admission.all() if not each.association.ended])
        slowest = ", the slowest %.1f ms" % (self.slowest * 1000) if self.slowest else ""
        return ("%s, at most %d at once; %s%s; %d released, %d rejected, %d aborted here, "
                "%d aborted by the peer, %d lost, %d timed out, %d without a byte" % (
                    counted(admission.number, "connection"), admission.peak, counted(echoes, "echo"),
                    slowest, count[RELEASED], count[REJECTED], count[ABORTING], count[ABORTED],
                    count[LOST], count[EXPIRED], count[BARE]))


# ---- dul/log.py -----------------------------------------------------------------------------------------------------
# Facts as log lines in the manual's words; warnings that cannot fill a disk; a writer that holds nothing up.
#
# The logger is ``echoscp``. The module logging is imported when the server listens already, because it takes a quarter
# of the time of the start, and before it serves, because later no file may be left to be opened.

LOGGER = "echoscp"
CRITICAL, ERROR, WARNING, INFO, DEBUG = 50, 40, 30, 20, 10      # as in logging
MINUTE = 60.0               # seconds
WARNINGS_OF_ONE = 10        # warnings a minute about one address
WARNINGS_OF_ALL = 100       # warnings a minute about all
TOPICS = 1024               # what is told once a minute: as many are remembered at most
QUEUE_LIMIT = 10000         # records that wait to be written at most
RETRY_PAUSE = 0.1           # seconds until the writer goes on where memory was short

WORDS = {REQUESTED: "Association Received", ACCEPTED: "Association Accepted", REJECTED: "Association Rejected",
         RELEASED: "Association Released", ABORTING: "Aborting Association", ABORTED: "Association Aborted"}
NO_PEER = {"peer": "-", "association": "-", "calling": "-", "called": "-"}
FOUND = []      # type: list  # our logger, once the module logging is there


def enabled(level):
    """Whether a line of this level would go anywhere. Until logging is imported, its default level holds."""
    if not FOUND and hasattr(sys.modules.get("logging"), "getLogger"):      # imported, and wholly
        FOUND.append(sys.modules["logging"].getLogger(LOGGER))
    return FOUND[0].isEnabledFor(level) if FOUND else level >= WARNING


def level_of(kind, value):
    """The level of the line that explains a fact."""
    if isinstance(value, Stopped) or isinstance(value, ClosedHere) and value.expected:
        return DEBUG
    if kind is LOST and value.closed and value.echoes and not value.progress:
        return INFO         # it has its echo, and does not care for a release: many monitors are like that
    return WARNING


class WarningLimit(object):
    """So many warnings a minute are told, the others counted; and some are told once a minute each."""

    def __init__(self):
        self.lock = threading.Lock()
        self.began = -MINUTE        # when the minute began
        self.told = {}              # {address: warnings}, WARNINGS_OF_ALL addresses at most
        self.held = 0
        self.last = {}              # {topic: when it was last told}, TOPICS at most
        self.wake = lambda: None    # called when warnings begin to be counted: Log.summarize() is due when pause() is over

    def permits(self, address):
        """Whether one more warning about this address is told; else it is counted."""
        with self.lock:
            return self._permits(address)

    def _permits(self, address):
        if not self.held and monotonic() - self.began >= MINUTE:
            self.began, self.told = monotonic(), {}
        count = self.told.get(address, 0)
        if count >= WARNINGS_OF_ONE or sum(self.told.values()) >= WARNINGS_OF_ALL:
            if not self.held:
                self.wake()     # takes no lock
            self.held += 1
            return False
        self.told[address] = count + 1
        return True

    def first(self, topic):
        """Whether nothing was told of this topic for a minute: then it may be now."""
        with self.lock:
            now = monotonic()
            if now - self.last.get(topic, now - MINUTE) < MINUTE:
                return False
            if len(self.last) >= TOPICS:
                self.last.clear()
            self.last[topic] = now
            return True

    def pause(self):
        """Seconds until end_minute() is due, at least 0; None while nothing is counted."""
        with self.lock:
            return max(0.0, self.began + MINUTE - monotonic()) if self.held else None

    def end_minute(self):
        """How many were counted; a new minute begins."""
        with self.lock:
            held, self.held, self.began = self.held, 0, -MINUTE
            return held


class LogWriter(object):
    """A bounded queue of log records, and one thread that hands them to the logger's handlers in their order.

    Whatever these do holds up no association and no signal; records beyond QUEUE_LIMIT are dropped, and counted.
    """

    def __init__(self):
        self.changed = threading.Condition(threading.Lock())
        self.records = collections.deque()      # type: collections.deque
        self.dropped = 0
        self.busy = False
        start_new_thread(self.run, ())

    def put(self, record):
        """Take a record. Never blocks."""
        with self.changed:
            if len(self.records) >= QUEUE_LIMIT:
                self.dropped += 1
                return
            self.records.append(record)
            self.changed.notify_all()

    def run(self):
        """Hand over the records, for ever."""
        while True:
            try:
                record, dropped = self.next()
                hand_over(record)
                if dropped and enabled(WARNING):
                    text = "%s dropped here: the log took no more" % (
                        counted(dropped, "line") + (" was" if dropped == 1 else " were"))
                    hand_over(new_record(WARNING, text, dict(NO_PEER, text=text)))
            except Exception:   # out of memory, or a record factory that is not ours
                time.sleep(RETRY_PAUSE)

    def next(self):
        """The next record, and how many are missing after it. Waits for it."""
        with self.changed:
            self.busy = False
            while not self.records:
                self.changed.notify_all()
                self.changed.wait()
            self.busy = True
            record, dropped = self.records.popleft(), 0
            if not any(self.records):       # nothing is left but the None of finish()
                dropped, self.dropped = self.dropped, 0
            return record, dropped

    def finish(self, seconds):
        """Wait until all is written, what handlers keep as well, so many seconds at most."""
        deadline = monotonic() + seconds
        with self.changed:
            self.records.append(None)
            self.changed.notify_all()
            while (self.records or self.busy) and monotonic() < deadline:
                self.changed.wait(max(0.001, deadline - monotonic()))


def new_record(level, text, extra, exc_info=None):
    """A LogRecord of our logger; ``text`` is never used as a format. Raises what a record factory raises."""
    import logging
    return logging.getLogger(LOGGER).makeRecord(
        LOGGER, level, LOGGER, 0, "%s", (shortened(text),), exc_info, None, extra)


def hand_over(record):
    """Give a record to the logger's handlers; None: have all handlers write what they keep. What they raise goes no further."""
    try:
        import logging
        logging.shutdown() if record is None else logging.getLogger(LOGGER).handle(record)
    except BaseException:   # a handler is not ours: even its SystemExit must not end an association
        pass


class Log(object):
    """Tells of facts in log lines."""

    def __init__(self, admission):
        self.admission = admission
        self.limit = WarningLimit()
        self.proxied = {}           # {number of a connection: InvalidPDU} of open ones that began with a PROXY header alone
        self.put = hand_over        # called with each record: where it happens, or LogWriter.put()

    @staticmethod
    def levels():
        """Whether lines of -d are written, and whether those of -v."""
        return enabled(DEBUG), enabled(INFO)

    def told(self, connection, kind, value):
        """Log what a fact says."""
        if kind in WORDS and kind is not ACCEPTED:
            self.line(INFO, WORDS[kind], connection)
        elif kind is ECHOED:
            self.line(INFO, "Received Echo Request (MsgID %d)" % value.message_id, connection)
        if kind in LINES and connection.association.trace:
            for text in LINES[kind](connection, value):
                self.line(DEBUG, text, connection)
        if kind is ACCEPTED:
            self.line(INFO, WORDS[kind], connection)
        elif kind is CLOSED and connection.number in self.proxied:
            error = self.proxied.pop(connection.number)
            more = connection.reader.arrived > len(error.data)      # else it was a load balancer's own health check
            self.warn(connection, WARNING if more else INFO, explanation(error))
        elif kind is ECHOED and value.refusal:
            self.warn(connection, WARNING, value.refusal)
        elif kind is BARE:
            self.bare(connection, value)
        elif isinstance(value, InvalidPDU) and value.opening and is_proxy_header(value.data):
            self.proxied[connection.number] = value     # what it was is known when the connection is closed
        elif isinstance(value, PeerError):
            self.warn(connection, level_of(kind, value), explanation(value))
            if connection.association.trace and isinstance(value, InvalidPDU):
                for text in invalid_lines(value):
                    self.line(DEBUG, text, connection)

    def warn(self, connection, level, sentence):
        """The one line that says why."""
        if level != WARNING or not enabled(WARNING) or self.limit.permits(address_of(connection)):
            self.line(level, sentence, connection, "%s: " % connection.peer)

    def bare(self, connection, error):
        """The connection ended without a byte: a port check, or a load balancer."""
        told = self.limit.first(address_of(connection))
        self.warn(connection, WARNING if told else DEBUG, "connected and sent nothing, then: %s; a port check or a load "
                  "balancer (told once a minute for each address)" % error.args[0])

    def summarize(self):
        """Tell how many warnings were only counted."""
        held = self.limit.end_minute()
        if held:
            self.line(WARNING, "%s in the last minute (%d a minute are shown, %d of one address)" % (
                counted(held, "further warning"), WARNINGS_OF_ALL, WARNINGS_OF_ONE))

    def pressure(self, topic, sentence):
        """Tell that there is no room for more, once a minute for each topic."""
        if self.limit.first(topic):
            self.line(WARNING, sentence)

    def line(self, level, text, connection=None, start="", exc_info=None):
        """One record, whose line begins with number and peer at -v and -d while several associations are open.

        Its attributes ``peer``, ``association``, ``calling`` and ``called`` are ``-`` where it concerns no peer;
        ``text`` is the line without that, and without ``start``, with which it begins otherwise.
        """
        if not enabled(level):
            return
        extra = dict(NO_PEER, text=text)
        if connection is not None:
            calling, called = connection.titles
            extra = {"peer": connection.peer, "association": connection.number, "calling": calling or "-",
                     "called": called or "-", "text": text}
            if enabled(INFO) and self.admission.established > connection.admitted:      # another association is open
                start = "[%d %s] " % (connection.number, connection.peer)
        try:
            self.put(new_record(level, start + text, extra, exc_info))
        except Exception:   # out of memory, or a record factory that is not ours
            pass


def address_of(connection):
    """The address of the peer, without its port."""
    return connection.peer.rsplit(":", 1)[0]


# ---- dul/pool.py ----------------------------------------------------------------------------------------------------
# The handler threads of an EchoServer: the one deviation from ``ThreadingTCPServer``, and its reason.
#
# ``ThreadingTCPServer`` starts a thread for each connection, which is half of what a whole association costs it. So a
# handler thread that has finished a connection goes on to accept the next one. One idle thread, the leader, waits for a
# connection; when it has one, the next becomes the leader. The thread in serve_forever() starts new ones when none is
# idle, and sleeps otherwise.

SPARE_THREADS = 2           # idle threads that there should be
IDLE_THREADS = 128          # idle threads that there may be at most
STACK_SIZE = 512 * 1024     # bytes for each thread; only what is used of it takes memory
ROOM = 4 * 1024 * 1024      # bytes of memory for a new thread: where it starts without, CPython can end the process
PRESSURE_PAUSE = 1.0        # seconds until what the system had no room for is tried again
STOP_POLITELY = 1.2         # seconds that open associations have for their A-ABORT
STOP_LIMIT = 1.4            # seconds after which stop() waits no longer
SWITCH_INTERVAL = 0.0002    # seconds of GIL switch interval for each thread: with many threads it must be longer than
LEAST_INTERVAL = 0.005      # Python's own, because they otherwise spend their time requesting the GIL
LONGEST_INTERVAL = 0.25
STACKS = threading.Lock()   # the size of stacks is one of the whole process
SLOWER = "accepting connections slows down until there is room again"


class HandlerThreads(object):
    """The threads that serve the connections of an EchoServer. ``alone``: what is one for the whole process may be set."""

    def __init__(self, server, alone):
        self.server = server
        self.alone = alone
        self.most = server.admission.most + IDLE_THREADS
        self.lock = threading.Lock()
        self.ended = threading.Condition(self.lock)
        self.leader = threading.Lock()
        self.threads = self.idle = 0                # how many there are, and how many of them wait for a connection
        self.patience = 0.0                         # before this time the thread that was begun last may not run yet
        self.halt, self.halted = socket_pair()      # halt is closed at the end: then the leader can read from halted
        self.wait = waiter([server.socket, self.halted])
        if alone:
            schedule_as_batch()     # each thread takes it over from the one that starts it

    def grow(self):
        """Start a thread where one is missing; called again when it runs, and after the seconds that this returns."""
        if self.alone and hasattr(sys, "setswitchinterval"):
            sys.setswitchinterval(min(max(LEAST_INTERVAL, self.threads * SWITCH_INTERVAL), LONGEST_INTERVAL))
        full = self.threads >= self.most
        if self.idle >= (1 if full else SPARE_THREADS):
            return None
        if not full and monotonic() >= self.patience:
            self.patience = monotonic() + PRESSURE_PAUSE
            full = not begin_thread(self.run)
            if full:
                self.server.log.pressure("threads", "out of threads or memory: " + SLOWER)
        if full and not self.idle and self.server.admission.evict(self.threads >= self.most):
            self.server.log.pressure("connections", "too many connections without an association: the oldest are closed")
        return PRESSURE_PAUSE

    def count(self, threads, idle):
        """Add to the numbers of threads and of idle ones."""
        with self.lock:
            self.threads += threads
            self.idle += idle
            if threads < 0:
                self.ended.notify_all()
                self.server.wake()      # it may be missing

    def run(self):
        """What a handler thread does: connection after connection."""
        known, identifier = getattr(threading, "_active", {}), get_ident()      # now: at the end memory may be short
        self.count(1, 1)
        self.patience = 0.0
        try:
            self.server.wake()
            while self.serve_one() and self.idle <= IDLE_THREADS:
                pass
        except BaseException:   # no memory for the least thing: one thread less, and serve_forever() starts another
            pass
        known.pop(identifier, None)     # what threading keeps of a thread that it did not start, before Python 3.13
        self.count(-1, -1)

    def serve_one(self):
        """Accept a connection and serve it. Returns whether there was one."""
        connection = self.accept()
        if connection is None:
            return False
        self.count(0, -1)
        if not self.idle:
            self.server.wake()
        try:
            self.server.process_request(*connection)
        finally:
            self.count(0, 1)
        return True

    def accept(self):
        """The next (socket, address); None when the server stops."""
        server = self.server
        if self.idle == self.threads and not server.stopping:   # a peer that comes again at once wakes no other thread
            try:
                return server.get_request()
            except (socket.error, MemoryError):     # the leader finds out why
                pass
        with self.leader:
            while not server.stopping:
                try:
                    return server.get_request()
                except (socket.error, MemoryError) as error:
                    self.refused(error)
        return None

    def refused(self, error):
        """accept() has none: wait for one, or, where the system has no room for more, until it may have."""
        code = error.args[0] if error.args else None
        if code in NOT_NOW:
            self.wait()
        elif not self.server.stopping and code not in INTERRUPTED + CLOSED_BY_PEER:
            full = code in OUT_OF_RESOURCES or isinstance(error, MemoryError)
            self.server.log.pressure("accept", "%s (%s): %s" % (
                "out of file descriptors or memory" if full else "cannot accept connections",
                getattr(error, "strerror", "MemoryError"), SLOWER))
            if full:
                self.server.admission.evict(False)
            self.server.admission.wait(PRESSURE_PAUSE)

    def stop(self):
        """Abort what is open, and wait for it within STOP_LIMIT. Nothing is accepted any more."""
        self.halt.close()
        now = monotonic()
        for sending, end in ((False, now + STOP_POLITELY), (True, now + STOP_LIMIT)):
            for connection in self.server.admission.all():
                connection.transport.interrupt(sending)
            self.join(end)

    def join(self, end):
        """Wait until all threads have ended, or until this time."""
        with self.lock:
            while self.threads and monotonic() < end:
                self.ended.wait(max(0.001, end - monotonic()))


def begin_thread(function):
    """Have a new thread call ``function``. Returns whether the system had room for it."""
    try:
        if mmap:
            mmap.mmap(-1, ROOM).close()
        with STACKS:
            before = threading.stack_size(STACK_SIZE)
            try:    # not Thread.start(): it waits for a sign of the new thread, for ever where memory runs out
                start_new_thread(function, ())
            finally:
                threading.stack_size(before)
        return True
    except (ThreadError, RuntimeError, MemoryError, ValueError, EnvironmentError):
        return False


# ---- dul/server.py --------------------------------------------------------------------------------------------------
# ``EchoServer``: the ``ThreadingTCPServer``, listening, accepting, stopping; for the command line and for embedding.
#
# Which lock guards what, as if there were no GIL: a ``lock``, and LogWriter's ``changed``, what its own object keeps;
# ``HandlerThreads.leader`` is held by the one thread that waits for a connection. Without a lock, a Connection and its
# Association are written by their handler thread alone, but for ``evicted``, which goes from False to True once, as
# ``EchoServer.stopping`` does. Other threads read ``active``, ``admitted`` and the state to choose what to evict; by an
# old value they may choose one whose association has just begun. The values of ``Negotiator.remembered`` are never
# changed; two threads that add to it at the same time decode once more, or keep a few decisions more.

LARGEST_PORT = 65535
MOST_ASSOCIATIONS = 4096
UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


class EchoServer(socketserver.ThreadingTCPServer, object):
    """A Verification SCP, to run alone or within another program::

        with EchoServer(port=0) as server:
            verify(*server.address)

    :param port: TCP port; 0: one that is free
    :param host: address to listen on; empty: every address, of IPv6 and of IPv4
    :param max_associations: established at once; a further one is rejected (2, 3, 2)
    :param on_event: called with a Notice for each thing that happens, in the thread of its connection; must be quick
    :param listener: a socket that listens already, in place of ``host`` and ``port``; it stays open and as it was
    :param alone: whether this process does nothing else: then GIL switch interval and scheduling policy are set for threads
    :param settings: ``ae_title``, ``timeout`` and what else Settings takes
    :raises socket.error: where the address cannot be had
    :raises ValueError: for a setting out of its range
    """

    daemon_threads = True
    request_queue_size = 8192       # connections that the kernel may hold for us; it has a limit of its own
    # Windows lets two servers share a port that has SO_REUSEADDR; there SO_EXCLUSIVEADDRUSE is right
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
    shutdown_request = socketserver.TCPServer.close_request     # no shutdown(): a Connection has closed its socket
    settings = property(lambda self: self.negotiator.settings, doc="What every association is held to: Settings.")
    process_request = socketserver.ThreadingMixIn.process_request_thread    # this is a handler thread (see ``pool``)

    def __init__(self, port=0, host="", max_associations=MOST_ASSOCIATIONS, on_event=None, listener=None, alone=False,
                 **settings):
        if not 0 <= port <= LARGEST_PORT:
            raise ValueError("port %d is not allowed: 0 (one that is free) to %d" % (port, LARGEST_PORT))
        settings.setdefault("transfer_syntaxes", PREFER_LOCAL)
        self.negotiator = Negotiator(Settings(**settings))
        self.admission = Admission(max_associations)
        self.sums, self.log, self.on_event = Sums(), Log(self.admission), on_event
        self.listeners = [self.sums.told, self.log.told] + ([self.notify] if on_event else [])
        self.handed_over = listener
        self.stopping = False
        self.thread = self.serving = None   # the one that start() started; the identifier of the one in serve_forever()
        self.finished = threading.Event()   # serve_forever() does not run
        self.finished.set()
        self.wake_reader = self.wake_writer = self.pool = None
        self.open(host, port)
        self.wake_reader, self.wake_writer = socket_pair()
        self.wake_writer.setblocking(False)
        self.log.limit.wake = self.wake
        self.pool = HandlerThreads(self, alone)

    def open(self, host, port):
        """Listen: on IPv6 and IPv4 where ``host`` is empty and the system has both; unless a socket was handed over."""
        if self.handed_over is not None:
            self.address_family, address = self.handed_over.family, self.handed_over.getsockname()
            socketserver.ThreadingTCPServer.__init__(self, address, Connection, False)
            self.socket.close()
            self.socket = self.handed_over
            return
        if not host and socket.has_ipv6 and hasattr(socket, "IPV6_V6ONLY") and hasattr(socket, "IPPROTO_IPV6"):
            addresses = [(socket.AF_INET6, ("::", port)), (socket.AF_INET, ("0.0.0.0", port))]
        else:
            found = socket.getaddrinfo(host or "0.0.0.0", port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
            addresses = [(found[0][0], found[0][4])]    # type: ignore[list-item]
        for self.address_family, address in addresses:
            try:
                return socketserver.ThreadingTCPServer.__init__(self, address, Connection)
            except socket.error as error:
                if error.errno not in UNSUPPORTED or address is addresses[-1][1]:
                    raise

    @property
    def address(self):
        """(host, port) that a peer on this host can connect to."""
        host, port = self.server_address[:2]
        return ("127.0.0.1" if host in ("0.0.0.0", "::") else host), port

    def summary(self):
        """What happened so far, in one line."""
        return self.sums.summary(self.admission)

    def start(self):
        """Serve in threads of its own, and return the server. Raises RuntimeError where it began or ended before."""
        if self.thread is not None or self.stopping:
            raise RuntimeError("an EchoServer can be started once")
        thread = threading.Thread(target=self.serve_forever, name="echoscp")
        thread.daemon = True
        thread.start()
        self.thread = thread
        return self

    def stop(self):
        """Stop listening, abort what is open, and close: within two seconds. From within on_event, request_stop() is due."""
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self if self.thread and not self.stopping else self.start()

    def __exit__(self, *_):
        self.stop()

    def server_bind(self):
        """Bind the socket."""
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if self.address_family != socket.AF_INET and self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.ThreadingTCPServer.server_bind(self)

    def server_close(self):
        """Close the listening socket, and what else the server holds. One that was handed over goes on listening."""
        if self.handed_over is None:
            self.socket.close()
        if self.pool is not None:
            for each in (self.wake_reader, self.wake_writer, self.pool.halt, self.pool.halted):
                each.close()

    def serve_forever(self, poll_interval=POLL_INTERVAL):
        """Serve until shutdown() or request_stop() is called, by another thread or a signal handler.

        :param poll_interval: seconds until it looks for that even if nothing wakes it; None: until it is woken
        """
        timeout = None if self.handed_over is None else timeout_of(self.handed_over)
        self.finished.clear()
        self.serving = get_ident()
        try:
            if not self.stopping:
                self.socket.setblocking(False)  # who waits for a connection must be able to wait for the end as well
            while not self.stopping:
                self.service_actions(poll_interval)
        finally:
            self.end(timeout)

    def service_actions(self, poll_interval=POLL_INTERVAL):
        """What is due now; then wait for more."""
        pauses = [self.pool.grow(), self.log.limit.pause(), poll_interval]
        self.sleep(min([pause for pause in pauses if pause is not None] or [None]))
        if self.log.limit.pause() == 0:
            self.log.summarize()

    def end(self, timeout):
        """The end of serve_forever()."""
        self.stopping = True
        try:
            self.pool.stop()
            self.log.summarize()
            if self.handed_over is not None:
                self.socket.settimeout(timeout)
        finally:    # even where the owner of the socket has closed it
            self.finished.set()

    def shutdown(self):
        """Make serve_forever() end, and wait until it has."""
        self.request_stop()
        if self.serving != get_ident():     # a log handler may call it in that thread, which goes on to its end then
            self.finished.wait()
            if self.thread is not None:
                self.thread.join()

    def request_stop(self):
        """Make serve_forever() end; does not wait, takes no lock, and may be called by a signal handler."""
        self.stopping = True
        self.wake()

    def handle_error(self, request, client_address):
        """A fault of this program in a handler thread: one line, and the traceback at debug."""
        self.fault("internal error in the connection from " + peer_name(client_address))

    def notify(self, connection, kind, value):
        """Tell the embedding program of a fact. What its callback raises is logged, and goes no further."""
        if kind in NOTICES:
            try:
                self.on_event(Notice(connection, kind, value))
            except BaseException:   # the callback is not ours: even its SystemExit must not end a thread
                self.log.line(ERROR, "on_event raised an exception", connection, exc_info=sys.exc_info())

    def fault(self, words, connection=None):
        """A fault of this program, from within its ``except``."""
        self.sums.add(FAULTS)
        if isinstance(sys.exc_info()[1], MemoryError):
            self.log.pressure("memory", "out of memory: a connection is closed")
        elif self.log.limit.permits(FAULTS):
            self.log.line(ERROR, "%s: %r; please report it" % (words, sys.exc_info()[1]), connection,
                          exc_info=sys.exc_info() if enabled(DEBUG) else None)

    def wake(self):
        """Wake serve_forever(). Takes no lock."""
        try:
            self.wake_writer.send(b"!")
        except (socket.error, ValueError, MemoryError):     # awake already, closed, or else POLL_INTERVAL helps
            pass

    def sleep(self, seconds):
        """Wait until wake() is called, at most so many seconds; None: without a limit."""
        try:
            self.wake_reader.settimeout(seconds)
            self.wake_reader.recv(100)
        except (socket.error, MemoryError) as error:    # where it has no number, it is the timeout or the memory
            if getattr(error, "errno", None) not in INTERRUPTED + NOT_NOW + (None,):
                raise


# ---- dul/options.py -------------------------------------------------------------------------------------------------
# The command line: one table of options, which is also the help, and one loop that reads by it.
#
# Neither getopt nor argparse can express these options exactly: both cluster or abbreviate them, and ``-x=`` is a name.

USAGE = "echoscp [options] port"

# A group, then its options: short form, long form, name of the value (if it takes one), meaning.
OPTION_LINES = """
General
  -h    --help                         print this help text and exit
        --version                      print the version and exit
Logging
  -q    --quiet                        quiet mode, prints no warnings or errors
  -v    --verbose                      verbose mode, prints processing details
  -d    --debug                        debug mode, prints debugging information
  -ll   --log-level        [l]evel     one of critical, error, warning, info,
                                       debug: prints messages of level l or
                                       higher (default: warning)
  -lc   --log-config       [f]ilename  use python logging config file f for the
                                       logger
Application Entity Titles
  -aet  --aetitle          [a]etitle   set my AE title (default: ECHOSCP)
Miscellaneous DICOM
  -to   --timeout          [s]econds   timeout for connection requests
                                       (default: unlimited)
  -ta   --acse-timeout     [s]econds   timeout for ACSE messages (default: 30)
  -td   --dimse-timeout    [s]econds   timeout for DIMSE messages
                                       (default: unlimited)
  -pdu  --max-pdu          [n]umber    set maximum receive PDU bytes to n bytes
                                       (default: 16384; 0: unlimited)
Preferred Transfer Syntaxes
  -x=   --prefer-uncompr               prefer explicit VR local byte order
                                       (default)
  -xe   --prefer-little                prefer explicit VR little endian
                                       transfer syntax
  -xb   --prefer-big                   prefer explicit VR big endian transfer
                                       syntax
  -xi   --implicit                     accept implicit VR little endian
                                       transfer syntax only
"""
HELP = "usage: %s\n\nA DICOM Verification (C-ECHO) SCP: answers C-ECHO requests on a TCP port.\n%s" % (USAGE, OPTION_LINES)
LEVELS = ("critical", "error", "warning", "info", "debug")
LONGEST_NUMBER = 10     # digits: as many as the largest of all has

# Options of one group contradict each other; for the others, the last one wins.
LEVEL_OPTIONS = ("--quiet", "--verbose", "--debug", "--log-level")
SYNTAX_OPTIONS = {"--prefer-uncompr": PREFER_LOCAL, "--prefer-little": PREFER_LITTLE, "--prefer-big": PREFER_BIG,
                  "--implicit": IMPLICIT_ONLY}


class UsageError(Exception):
    """A command line that is refused, and why."""


def read_options(lines):
    """({spelling: long form} of all options, long forms of those that take a value)."""
    spellings = {}      # type: dict
    with_value = set()
    for words in [line.split() for line in lines.splitlines() if line[:12].strip()[:1] == "-"]:
        names = [word for word in words[:2] if word.startswith("-")]
        spellings.update((name, names[-1]) for name in names)
        if words[len(names)].startswith("["):
            with_value.add(names[-1])
    return spellings, with_value


def parse(arguments):
    """What a command line asks for: {long form: value, or True}, and ``port``. UsageError has the user's line."""
    spellings, with_value = read_options(OPTION_LINES)
    chosen, typed, ports, rest = {}, {}, [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, value = split(argument, spellings)
        if name not in spellings:
            if argument.startswith("-") and argument != "-":
                raise UsageError("unknown option %s%s" % (quoted(argument), hint(argument, spellings, with_value)))
            ports.append(argument)
            continue
        option = spellings[name]
        if option not in with_value:
            if value is not None:
                raise UsageError("option %s takes no value, it was given %s" % (name, quoted(value)))
            chosen[option] = True
        else:
            if value is None:
                if not rest or split(rest[0], spellings)[0] in spellings:
                    raise UsageError("option %s needs a value: %s" % (name, due(option)))
                value = rest.pop(0)
            chosen[option] = checked(option, name, value)
        typed[option] = name
        contradict(typed, option)
        if option in ("--help", "--version"):
            return chosen
    chosen["port"] = the_port(ports)
    return chosen


def split(argument, spellings):
    """(option, value) of ``--option=value``; the value is None where there is none, as in ``-x=``."""
    if argument not in spellings and argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return name, value if equals else None
    return argument, None


def the_port(ports):
    """The port of the arguments that are no options. Raises UsageError unless there is one, and in its range."""
    if len(ports) != 1:
        raise UsageError("one port is needed (1 to %d), %s" % (
            LARGEST_PORT, "%d were given: %s" % (len(ports), " ".join([quoted(port) for port in ports]))
            if ports else "none was given; --help shows the options"))
    port = number(ports[0])
    if port is None or not 1 <= port <= LARGEST_PORT:
        raise UsageError("port %s is not allowed: 1 to %d" % (quoted(ports[0]), LARGEST_PORT))
    return port


def checked(option, name, text):
    """The value of an option. Raises UsageError where it is out of its range."""
    value = text if option in TEXTS else number(text)
    try:
        return CHECKS[option](-1 if value is None else value)   # -1 is never right
    except ValueError as error:
        raise UsageError("option %s: %s is not allowed: %s" % (name, quoted(text), error))


def check_level(name):
    """A log level. Raises ValueError that says what is allowed."""
    if name not in LEVELS:
        raise ValueError("one of " + ", ".join(LEVELS))
    return name


def check_file(name):
    """A file name. Raises ValueError that says what is allowed."""
    if not name:
        raise ValueError("the name of a logging configuration file")
    return name


TEXTS = ("--log-level", "--log-config", "--aetitle")
CHECKS = {"--log-level": check_level, "--log-config": check_file, "--aetitle": check_title, "--timeout": check_seconds,
          "--acse-timeout": check_seconds, "--dimse-timeout": check_seconds, "--max-pdu": check_maximum_length}


def due(option):
    """What would be right, found by asking the check for a value that never is."""
    try:
        return CHECKS[option]("" if option in TEXTS else -1)
    except ValueError as error:
        return str(error)


def number(text):
    """The number that plain decimal digits are; None for anything else, however close."""
    if not text or text.strip("0123456789"):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits[:LONGEST_NUMBER + 1])


def contradict(typed, option):
    """Raise UsageError where another option of its group is ``typed``, too: {long form: spelling}."""
    for group in (LEVEL_OPTIONS, SYNTAX_OPTIONS):
        for other in group if option in group else ():
            if other in typed and other != option:
                raise UsageError("options %s and %s contradict each other: one of %s is allowed" % (
                    typed[other], typed[option], ", ".join(sorted(group))))


def hint(argument, spellings, with_value):
    """The nearest spelling, as a question, or nothing."""
    name, equals, value = argument.partition("=")
    if equals and spellings.get(name) in with_value:
        return "; did you mean '%s %s'?" % (name, escaped(value))
    near = [each for each in sorted(spellings) if each in (argument.lower(), "-" + argument, argument[1:], name)
            or name[:2] == "--" != name and each.startswith(name)]
    try:
        import difflib
        near += difflib.get_close_matches(argument, sorted(spellings), 1, 0.6)
    except ImportError:     # a stripped-down Python
        pass
    return "; did you mean %s?" % near[0] if near else "; --help shows the options"


def quoted(text):
    """What the user typed, on one line whatever it holds."""
    return "'%s'" % escaped(text)


# ---- dul/service.py -------------------------------------------------------------------------------------------------
# The process as a service: systemd's socket, sd_listen_fds(3), readiness, sd_notify(3); signals; standard files.

FIRST_FD = 3
SO_DOMAIN = 39      # Linux's number for the address family of a socket, which few Pythons have


def handed_over(environ, port):
    """The listening socket that the service manager hands over, or None; what tells of it is taken out of ``environ``.
    Raises UsageError where what is handed over is not one TCP socket that listens on this port."""
    pid, count, _ = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_FDNAMES", "")
    if pid != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise UsageError("LISTEN_FDS is %s, due: 1 listening socket" % count)
    problem = "the socket handed over (LISTEN_FDS) does not listen on TCP"
    for family in (socket.AF_INET, getattr(socket, "AF_INET6", None)):
        try:
            sock = socket.fromfd(FIRST_FD, family, socket.SOCK_STREAM)
        except (OSError, socket.error, TypeError):
            break
        try:
            if (sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN) == family
                    and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
                os.close(FIRST_FD)
                if sock.getsockname()[1] == port:
                    return sock
                problem = "port %d is not that of the socket handed over (LISTEN_FDS): %d" % (port, sock.getsockname()[1])
        except (OSError, socket.error):
            pass
        sock.close()
    raise UsageError(problem)


def notify(environ, state):
    """Tell the service manager ``READY=1`` or ``STOPPING=1``, where NOTIFY_SOCKET asks for it; never wait for it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.sendto(state.encode("ascii"), "\0" + address[1:] if address[0] == "@" else address)
    except (OSError, socket.error):     # its listener is gone, or does not read: the service goes on
        pass
    finally:
        sock.close()


def fill_standard_files():
    """Open what of standard input, output and error is closed, or the next socket would be taken for it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            try:
                os.open(os.devnull, os.O_RDWR)
            except OSError:     # no null device here: a pipe takes its place, and is never read
                os.pipe()


def write(number, text):
    """Write to a descriptor, standard output or error, and wait until all is taken. Returns whether it was."""
    data = text if isinstance(text, bytes) else text.encode("ascii", "backslashreplace")
    while data:
        try:
            data = data[os.write(number, data):]
        except OSError as error:
            if error.errno not in NOT_NOW + INTERRUPTED or WINDOWS:
                return False
            select.select([], [number], [])     # another program has made the terminal or pipe non-blocking
    return True


def end_by(number):
    """End as a process that this signal ended, as shells and service managers expect. Where none can, on Windows and
    as the first process of a container, the exit status is 128 + its number."""
    if not WINDOWS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)


# ---- dul/cli.py -----------------------------------------------------------------------------------------------------
# ``echoscp [options] port``: logging set-up, and ``main()``.

PROGRAM = "echoscp.py"
LINE_FORMAT = "%(levelname).1s: %(message)s"
FAILURE, REFUSED = 1, 2         # exit statuses
SILENT = CRITICAL + 1
WRITING_LIMIT = 0.5             # seconds that log lines have to be written when the program ends
LEVELS_BY_NAME = {"critical": CRITICAL, "error": ERROR, "warning": WARNING, "info": INFO, "debug": DEBUG}
ADVICE = ((NOT_PERMITTED, "; ports below 1024 need privileges"), (IN_USE, "; another program listens there"))
KEYWORDS = {"--aetitle": "ae_title", "--timeout": "timeout", "--acse-timeout": "acse_timeout",
            "--dimse-timeout": "dimse_timeout", "--max-pdu": "maximum_length"}


def main(arguments=None):
    """Run the program with these arguments, or those of ``sys.argv``. It ends by ``sys.exit()`` or by a signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # Ctrl-C ends it without a traceback, until the server catches it
    fill_standard_files()
    try:
        chosen = parse(sys.argv[1:] if arguments is None else arguments)
        if "--help" in chosen or "--version" in chosen:
            text = HELP if "--help" in chosen else "%s v%s\n" % (PROGRAM, VERSION)
            sys.exit(0 if write(1, text) else FAILURE)
        if "--log-config" in chosen:
            log_by_file(chosen["--log-config"], log_level(chosen))
        listener = handed_over(os.environ, chosen["port"])
    except UsageError as error:
        write(2, "%s: %s\n" % (PROGRAM, error))
        sys.exit(REFUSED)
    serve(chosen, listener)


def serve(chosen, listener):
    """Listen, serve until a signal comes, and end by it."""
    raise_file_limit()
    if hasattr(signal, "SIGTTOU"):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)   # a line to a terminal with tostop must not stop the process
    settings = dict((KEYWORDS[option], chosen[option]) for option in KEYWORDS if option in chosen)
    settings.update(("transfer_syntaxes", SYNTAX_OPTIONS[option]) for option in SYNTAX_OPTIONS if option in chosen)
    try:
        server = EchoServer(chosen["port"], listener=listener, alone=True, **settings)
    except (socket.error, OSError) as error:
        set_up_log(chosen, Log(None))
        advice = "".join([words for numbers, words in ADVICE if error.errno in numbers])
        Log(None).line(CRITICAL, "cannot listen on port %d: %s%s" % (chosen["port"], error.strerror or error, advice))
        sys.exit(FAILURE)
    try:
        start_new_thread(int, ())       # for its end glibc loads a library: now, because later memory may be short
        writer = LogWriter()
        server.log.put = writer.put
    except (ThreadError, RuntimeError):     # no thread for it: lines are written where they happen
        writer = None
    set_up_log(chosen, server.log)
    learn_uid_names()
    server.log.line(DEBUG, "Listening on port %d (%s) as %s" % (
        chosen["port"], "IPv4" if server.socket.family == socket.AF_INET else "IPv6 and IPv4", server.settings.ae_title))
    received = []

    def stop(number, _):
        """A signal has come: the first one stops the server, the second one ends the process at once."""
        received.append(number)
        if len(received) > 1:
            end_by(number)
        server.request_stop()

    for number in ending_signals():
        signal.signal(number, stop)
    wake_on_signal(server.wake_writer)
    notify(os.environ, "READY=1")
    server.serve_forever()
    notify(os.environ, "STOPPING=1")
    server.log.line(DEBUG, server.summary())
    if writer:
        writer.finish(WRITING_LIMIT)
    end_by(received[0])


def log_level(chosen):
    """The level that the command line asks for; None for the default."""
    for option, level in (("--quiet", SILENT), ("--verbose", INFO), ("--debug", DEBUG)):
        if option in chosen:
            return level
    return LEVELS_BY_NAME.get(chosen.get("--log-level", ""))


def set_up_log(chosen, log):
    """Set up the logger as the manual shows its lines, unless a configuration file has; the first lines of -d."""
    import logging
    write(2, "")    # PyPy reads the file of this codec: now, because later no descriptor may be left for it
    logging.raiseExceptions = False     # what cannot be logged is lost, and nothing else
    logger = logging.getLogger(LOGGER)
    if "--log-config" not in chosen:
        handler = logging.Handler()
        setattr(handler, "emit", lambda record: write(2, handler.format(record) + "\n"))
        handler.setFormatter(logging.Formatter(LINE_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(log_level(chosen) or WARNING)
    for line in ("$%s v%s" % (PROGRAM, VERSION), ""):
        log.line(DEBUG, line)


def log_by_file(name, level):
    """Set up the logger by a configuration file. Raises UsageError where it, or what it needs, is broken."""
    try:
        import logging
        from logging.config import fileConfig
        logging.raiseExceptions = False
        with open(name):
            pass
        fileConfig(name, disable_existing_loggers=False)
        logger = logging.getLogger(LOGGER)
        record = new_record(WARNING, "-", dict(NO_PEER, association=0, text="-"))
        for handler in logger.handlers + logging.getLogger().handlers * bool(logger.propagate):
            if isinstance(handler, logging.StreamHandler) and handler.__class__.__module__.startswith("logging"):
                handler.filters or handler.format(record)       # its format may name what no record has
    except Exception as error:  # whatever is wrong in it: ConfigParser, import, attribute and file errors
        reason = escaped(" ".join(str(getattr(error, "strerror", None) or str(error) or type(error).__name__).split()))
        other = isinstance(error, EnvironmentError) and error.filename      # a file that it names
        if other and other != name:
            reason = "%s: %s" % (quoted(other), reason)
        raise UsageError("option -lc: %s cannot be used: %s" % (quoted(name), reason))
    if level is not None:
        logger.setLevel(level)


def learn_uid_names():
    """Take over the names of UIDs from pydicom, where it is installed. This is the only place that looks for it."""
    try:
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pydicom.uid import UID_dictionary
        for uid, entry in UID_dictionary.items():
            UID_NAMES.setdefault(uid, escaped(entry[0]))
    except Exception:   # a package that this program does not need must not be able to stop it
        pass


__version__ = VERSION

if __name__ == "__main__":
    main()
