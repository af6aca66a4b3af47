"""echoscp 1.0.0: a DICOM Verification (C-ECHO) SCP in one file, for any Python from 2.7 on, nothing installed.

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
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

# =====================================================================================================================
# dul/compat.py: The only tests of the Python version and of what the platform offers.
# =====================================================================================================================

PY2 = sys.version_info[0] == 2
WINDOWS = os.name == "nt"

# Where a script's syntax tree stays in memory until the script has ended, and threads can start after that. That was
# seen with these; 3.12.0 and 3.12.1 start none then.
KEEPS_SYNTAX_TREE = (getattr(getattr(sys, "implementation", None), "name", "") == "cpython"
                     and sys.version_info[:2] in ((3, 9), (3, 10), (3, 11), (3, 13)))
ONE_THREAD_AT_A_TIME = getattr(sys, "_is_gil_enabled", lambda: True)()     # not so in free-threaded builds

if PY2:
    import SocketServer as socketserver
else:
    import socketserver

# The clock of every deadline: seconds that never go back. Python 2.7 has no time.monotonic, but the elapsed time of
# os.times() counts from boot on POSIX (in steps of 10 ms), and time.clock() from its first call on Windows.
if hasattr(time, "monotonic"):
    monotonic = time.monotonic
elif WINDOWS:
    monotonic = time.clock
else:
    def monotonic():
        """Seconds since some fixed moment in the past."""
        return os.times()[4]

# Where struct timeval is two C longs, the kernel's own timeouts save a poll() before each recv() and send().
KERNEL_TIMEOUTS = sys.platform.startswith("linux") and struct.calcsize("l") == 8

INTERRUPTED = (errno.EINTR,)
TIMED_OUT = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ETIMEDOUT)
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def as_bytes(text):
    """The bytes of ASCII text; bytes stay what they are."""
    return text if isinstance(text, bytes) else text.encode("ascii")


def as_native(data):
    """The native string of bytes that are known to be ASCII."""
    return data if isinstance(data, str) else data.decode("ascii")


PLAIN = bytes(bytearray(code for code in range(0x20, 0x7F) if code != 0x5C))    # what is shown as it is


def escaped(data):
    """What a peer or a user wrote, fit for a log line and a terminal.

    Everything but printable ASCII comes out as ``\\xNN``, and a backslash doubled: nothing passes for an escape.

    :param data: bytes, or text (then escaped by code point)
    """
    if isinstance(data, bytes) and not data.translate(None, PLAIN):
        return as_native(data)
    codes = bytearray(data) if isinstance(data, bytes) else [ord(character) for character in data]
    return "".join([_escape(code) for code in codes])


def _escape(code):
    if code == 0x5C:
        return "\\\\"
    if 0x20 <= code < 0x7F:
        return chr(code)
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code


def set_receive_timeout(sock, seconds):
    """Bound each recv of a blocking socket; None for no bound. Without kernel timeouts it bounds each send too."""
    if KERNEL_TIMEOUTS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
    else:
        sock.settimeout(seconds)


def set_send_timeout(sock, seconds):
    """Bound each send of a blocking socket, where the kernel does that by itself."""
    if KERNEL_TIMEOUTS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))


def quick_acknowledge(sock):
    """Have the kernel acknowledge at once what has arrived, where it can be told to."""
    if hasattr(socket, "TCP_QUICKACK"):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except (socket.error, ValueError):      # the connection is gone: the next recv finds that out
            pass


def _timeval(seconds):
    if seconds is None:
        return struct.pack("ll", 0, 0)
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1000000) or 1)


def socket_pair():
    """Two connected sockets; Windows has no socketpair() on Python 2.7."""
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


def closing_wakes_accept(listener):
    """Stop listening. Whether that woke the threads in accept(), as it does on Linux."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
        return True
    except (socket.error, ValueError):
        return False


def set_stack_size(size):
    """Let threads that start from now have a stack of so many bytes, where that can be chosen; returns the old one."""
    try:
        return threading.stack_size(size)
    except (ValueError, RuntimeError, threading.ThreadError):
        return 0


def set_switch_interval(seconds):
    """How long a thread may run before others that wait get their turn, where it can be set (not so on Python 2.7)."""
    if hasattr(sys, "setswitchinterval"):
        sys.setswitchinterval(seconds)


def raise_file_limit():
    """Raise the soft limit of open files to the hard one, where there is such a thing."""
    try:
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ImportError, ValueError, OSError, AttributeError):
        pass


# Only there does nothing wake a blocking recv when a signal comes: seconds until one looks.
SIGNAL_PAUSE = 0.5 if WINDOWS and PY2 else None


def on_glibc():
    """Whether the C library is glibc."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION").startswith("glibc")
    except (AttributeError, ValueError, OSError):
        return False


def is_ignored(number):
    """Whether this signal was being ignored when the process began, as nohup arranges it."""
    if signal.getsignal(number) == signal.SIG_IGN:
        return True
    try:        # PyPy does not ask the system
        with open("/proc/self/status") as status:
            masks = [line.split()[1] for line in status if line.startswith("SigIgn:")]
        return bool(masks) and bool(int(masks[0], 16) >> (number - 1) & 1)
    except EnvironmentError:
        return False


def ending_signals():
    """The signals that are to end a server. Windows has no SIGHUP."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in numbers if not is_ignored(number)]


def wake_on_signal(sock):
    """Have the interpreter write to this non-blocking socket when a signal comes, whichever thread receives it."""
    try:
        signal.set_wakeup_fd(sock.fileno())
    except ValueError:      # Windows with Python 2.7 takes no sockets
        pass


class Stderr(object):
    """Standard error as a log wants it: never blocks, never raises. Lines that nobody takes are dropped and counted.

    A full pipe or a stopped terminal is waited for once, PATIENCE seconds; after that, lines are dropped until there is
    room again.
    """

    PATIENCE = 0.25
    LONGEST = 4096      # bytes: a pipe that has room takes as many at once

    def __init__(self, number=2):
        self.number = number
        self.dropped = 0
        self.begun = b""    # of a line whose end has not come: logging of Python 3.6 writes that by itself
        try:    # a terminal that is stuck has room for a few bytes, and select() says so; a line would block in it
            if os.isatty(number):
                self.number = os.open(os.ttyname(number), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except (OSError, AttributeError):
            pass

    def write(self, text):
        """Write one line, at once with its end: half a line is kept until then. For one thread at a time."""
        data = self.begun + (text if isinstance(text, bytes) else text.encode("ascii", "backslashreplace"))
        if not data.endswith(b"\n"):
            self.begun = data
            return
        self.begun = b""
        try:
            if self._has_room():
                if self.dropped:
                    data = b"W: lines were dropped here: standard error took no more\n" + data
                    self.dropped = 0
                os.write(self.number, data[:self.LONGEST - 1] + b"\n" if len(data) > self.LONGEST else data)
                return
        except (OSError, ValueError):
            pass
        self.dropped += 1

    def _has_room(self):
        try:
            return WINDOWS or bool(select.select([], [self.number], [], 0 if self.dropped else self.PATIENCE)[1])
        except (OSError, ValueError, select.error) as error:    # it cannot be asked: writing to it will show
            return error.args[:1] != (errno.EINTR,)

    def flush(self):
        """Nothing: a whole line is written at once, and half a line waits for its end."""


# =====================================================================================================================
# dul/codes.py: Numbers, UIDs and limits, each named once, with its place in the standard.
# =====================================================================================================================

VERSION = "1.0.0"

# PDU types (PS3.8 9.3.1)
A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

PDU_NAMES = {
    A_ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    A_ASSOCIATE_AC: "A-ASSOCIATE-AC",
    A_ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    P_DATA_TF: "P-DATA-TF",
    A_RELEASE_RQ: "A-RELEASE-RQ",
    A_RELEASE_RP: "A-RELEASE-RP",
    A_ABORT: "A-ABORT",
}
PDU_SECTIONS = {  # of PS3.8
    A_ASSOCIATE_RQ: "9.3.2",
    A_ASSOCIATE_AC: "9.3.3",
    A_ASSOCIATE_RJ: "9.3.4",
    P_DATA_TF: "9.3.5",
    A_RELEASE_RQ: "9.3.6",
    A_RELEASE_RP: "9.3.7",
    A_ABORT: "9.3.8",
}

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
PDV_OVERHEAD = 6              # Item-length, Presentation-context-ID, message control header (PS3.8 9.3.5.1)
MINIMUM_MAXIMUM_LENGTH = 8    # the smallest Maximum Length that lets a fragment through: PDV_OVERHEAD and two bytes
LARGEST_RQ = 1024 * 1024      # PDU-length of an A-ASSOCIATE-RQ; a limit of ours, the standard has none
LARGEST_COMMAND_SET = 64 * 1024   # reassembled; a limit of ours
MOST_CONTEXTS = 128           # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
AE_TITLE_LENGTH = 16          # PS3.8 9.3.2, PS3.5 6.2
UID_LENGTH = 64               # characters at most (PS3.5 9)

PROTOCOL_VERSION = 0x0001     # only bit 0 is tested (PS3.8 9.3.2)

# Message control header (PS3.8 Annex E.2)
COMMAND_FRAGMENT = 0x01
LAST_FRAGMENT = 0x02

# Result/Reason of a presentation context (PS3.8 9.3.3.2)
ACCEPTANCE = 0
USER_REJECTION = 1
NO_REASON = 2
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4
CONTEXT_RESULTS = {
    ACCEPTANCE: "acceptance",
    USER_REJECTION: "user-rejection",
    NO_REASON: "no-reason",
    ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract-syntax-not-supported",
    TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer-syntaxes-not-supported",
}

# A-ASSOCIATE-RJ: (result, source, reason) (PS3.8 9.3.4)
REJECT_APPLICATION_CONTEXT = (1, 1, 2)
REJECT_PROTOCOL_VERSION = (1, 2, 2)
REJECT_LOCAL_LIMIT = (2, 3, 2)
REJECT_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
REJECT_SOURCES = {
    1: "DICOM UL service-user",
    2: "DICOM UL service-provider (ACSE related function)",
    3: "DICOM UL service-provider (presentation related function)",
}
REJECT_REASONS = {  # (source, reason)
    (1, 1): "no-reason-given",
    (1, 2): "application-context-name-not-supported",
    (1, 3): "calling-AE-title-not-recognized",
    (1, 7): "called-AE-title-not-recognized",
    (2, 1): "no-reason-given",
    (2, 2): "protocol-version-not-supported",
    (3, 1): "temporary-congestion",
    (3, 2): "local-limit-exceeded",
}

# A-ABORT: (source, reason) (PS3.8 9.3.8)
ABORT_BY_USER = (0, 0)
ABORT_UNRECOGNIZED_PDU = (2, 1)
ABORT_UNEXPECTED_PDU = (2, 2)
ABORT_INVALID_PARAMETER = (2, 6)
ABORT_SOURCES = {0: "DICOM UL service-user", 1: "reserved", 2: "DICOM UL service-provider"}
ABORT_REASONS = {  # of source 2; with source 0 the reason is not significant
    0: "reason-not-specified",
    1: "unrecognized-PDU",
    2: "unexpected-PDU",
    3: "reserved",
    4: "unrecognized-PDU parameter",
    5: "unexpected-PDU parameter",
    6: "invalid-PDU-parameter value",
}

# UIDs (PS3.6 Annex A). In PDUs they are bytes without padding.
APPLICATION_CONTEXT_NAME = b"1.2.840.10008.3.1.1.1"
VERIFICATION = b"1.2.840.10008.1.1"
IMPLICIT_LITTLE = b"1.2.840.10008.1.2"
EXPLICIT_LITTLE = b"1.2.840.10008.1.2.1"
EXPLICIT_BIG = b"1.2.840.10008.1.2.2"
UID_NAMES = {
    "1.2.840.10008.3.1.1.1": "DICOM Application Context Name",
    "1.2.840.10008.1.1": "Verification SOP Class",
    "1.2.840.10008.1.2": "Little Endian Implicit VR",
    "1.2.840.10008.1.2.1": "Little Endian Explicit VR",
    "1.2.840.10008.1.2.2": "Big Endian Explicit VR",
}

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
    0x0901: "Offending Element",
    0x0902: "Error Comment",
    0x0903: "Error ID",
    0x1000: "Affected SOP Instance UID",
    0x1001: "Requested SOP Instance UID",
    0x1002: "Event Type ID",
    0x1005: "Attribute Identifier List",
    0x1008: "Action Type ID",
    0x1020: "Number of Remaining Sub-operations",
    0x1021: "Number of Completed Sub-operations",
    0x1022: "Number of Failed Sub-operations",
    0x1023: "Number of Warning Sub-operations",
    0x1030: "Move Originator Application Entity Title",
    0x1031: "Move Originator Message ID",
}
UID_ELEMENTS = (0x0002, 0x0003, 0x1000, 0x1001)

# Command Field (PS3.7 E.1)
C_ECHO_RQ = 0x0030
C_ECHO_RSP = 0x8030
RESPONSE = 0x8000
COMMAND_NAMES = {
    0x0001: "C-STORE-RQ", 0x8001: "C-STORE-RSP", 0x0010: "C-GET-RQ", 0x8010: "C-GET-RSP",
    0x0020: "C-FIND-RQ", 0x8020: "C-FIND-RSP", 0x0021: "C-MOVE-RQ", 0x8021: "C-MOVE-RSP",
    0x0030: "C-ECHO-RQ", 0x8030: "C-ECHO-RSP", 0x0FFF: "C-CANCEL-RQ",
    0x0100: "N-EVENT-REPORT-RQ", 0x8100: "N-EVENT-REPORT-RSP", 0x0110: "N-GET-RQ", 0x8110: "N-GET-RSP",
    0x0120: "N-SET-RQ", 0x8120: "N-SET-RSP", 0x0130: "N-ACTION-RQ", 0x8130: "N-ACTION-RSP",
    0x0140: "N-CREATE-RQ", 0x8140: "N-CREATE-RSP", 0x0150: "N-DELETE-RQ", 0x8150: "N-DELETE-RSP",
}
NO_DATA_SET = 0x0101          # Command Data Set Type (PS3.7 9.3.5)

# Status (PS3.7 9.1.5.1.4, Annex C)
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
STATUS_NAMES = {SUCCESS: "Success", SOP_CLASS_NOT_SUPPORTED: "Refused: SOP Class not supported"}


# =====================================================================================================================
# dul/errors.py: What can go wrong with a peer; an error carries the abort or the reject that the peer must be sent.
#
# Each is told in one sentence, ``str(error)``, that the log, the callback of an embedding program and the tests share.
# =====================================================================================================================

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


# =====================================================================================================================
# dul/settings.py: What a server is told to do; each rule about a value stands here once, for the command line and for embedding.
# =====================================================================================================================

LEAST_MAXIMUM_LENGTH, LARGEST_UINT32 = 128, 4294967295
LONGEST_TIMEOUT = 4294967295

NATIVE_EXPLICIT, OTHER_EXPLICIT = EXPLICIT_LITTLE, EXPLICIT_BIG
if sys.byteorder == "big":
    NATIVE_EXPLICIT, OTHER_EXPLICIT = EXPLICIT_BIG, EXPLICIT_LITTLE
PREFER_LOCAL = (NATIVE_EXPLICIT, OTHER_EXPLICIT, IMPLICIT_LITTLE)
PREFER_LITTLE = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)
PREFER_BIG = (EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE)
IMPLICIT_ONLY = (IMPLICIT_LITTLE,)


def check_title(title):
    """An AE title (PS3.8 9.3.2, PS3.5 6.2 AE).

    :raises ValueError: saying what is allowed, unless it is 1 to 16 characters of the default repertoire
    """
    text = title if isinstance(title, str) else as_native(title)
    if not 1 <= len(text) <= AE_TITLE_LENGTH or not text.strip(" ") or "\\" in text or escaped(text) != text:
        raise ValueError("1 to %d printable ASCII characters, no backslash, not only spaces" % AE_TITLE_LENGTH)
    return text


def check_seconds(seconds):
    """A timeout.

    :raises ValueError: saying what is allowed, unless it is 0 (no limit) or more
    """
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("0 (no limit) to %d seconds" % LONGEST_TIMEOUT)
    return seconds


def check_maximum_length(length):
    """The Maximum Length that we announce (PS3.8 D.1).

    :raises ValueError: saying what is allowed, unless it is 0 (no limit) or 128 to 4294967295
    """
    if length and not LEAST_MAXIMUM_LENGTH <= length <= LARGEST_UINT32:
        raise ValueError("0 (no limit) or %d to %d bytes" % (LEAST_MAXIMUM_LENGTH, LARGEST_UINT32))
    return length


class Settings(object):
    """What every association of a server is held to.

    :param ae_title: ours, 1 to 16 characters; it is shown, and any called title is accepted
    :param timeout: seconds from accept until a whole A-ASSOCIATE-RQ is there; 0: no limit of its own
    :param acse_timeout: seconds of the ARTIM timer; 0: no limit
    :param dimse_timeout: seconds until the next complete message; 0: no limit
    :param maximum_length: the longest PDU-length of a P-DATA-TF that we take, in bytes; 0: no limit
    :param transfer_syntaxes: UIDs, the preferred one first
    :raises ValueError: for a value out of its range
    """

    __slots__ = ("ae_title", "timeout", "acse_timeout", "dimse_timeout", "maximum_length", "transfer_syntaxes")

    def __init__(self, ae_title="ECHOSCP", timeout=0, acse_timeout=30, dimse_timeout=0, maximum_length=16384,
                 transfer_syntaxes=PREFER_LOCAL):
        self.ae_title = check_title(ae_title)
        self.timeout = check_seconds(timeout)
        self.acse_timeout = check_seconds(acse_timeout)
        self.dimse_timeout = check_seconds(dimse_timeout)
        self.maximum_length = check_maximum_length(maximum_length)
        self.transfer_syntaxes = tuple(transfer_syntaxes)


# =====================================================================================================================
# dul/items.py: Items and sub-items of A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, Annex D; PS3.7 D.3.3) as value classes. Pure.
#
# All begin alike: byte 0 Item-type, byte 1 reserved, bytes 2-3 Item-length (big endian: bytes that follow). Decoders
# get the whole PDU and where the item's body starts and ends in it, so that an error names the byte of the PDU.
# UIDs are bytes; padding that peers put around them (NULs, spaces) is taken off.
# =====================================================================================================================

ITEM_HEADER = struct.Struct(">BxH")     # Item-type, Item-length
UINT16 = struct.Struct(">H")
NUMBERS = {"byte": struct.Struct("B"), "uint16": UINT16, "uint32": struct.Struct(">I")}


class Value(object):
    """Equal to another of its class when all that its ``__slots__`` name is equal."""

    __slots__ = ()

    def __init__(self, *values):
        for name, value in zip(self.__slots__, values):
            setattr(self, name, value)
        if len(values) != len(self.__slots__):
            raise TypeError("%s takes %s" % (type(self).__name__, ", ".join(self.__slots__)))

    def __eq__(self, other):
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__))


class Item(Value):
    """An item or sub-item: ``item_type`` names it, ``body()`` is what follows its Item-length."""

    __slots__ = ()
    item_type = None

    def encode(self):
        """The whole item.

        :raises struct.error: where the body is longer than the 65535 bytes that an Item-length can say
        """
        body = self.body()
        return ITEM_HEADER.pack(self.item_type, len(body)) + body


def unpadded(data):
    """A UID or name without the NULs and spaces that peers pad it with."""
    return data.strip(b"\0 ")


class Fields(object):
    """Reads the fields of one item's body in turn, never past its end."""

    __slots__ = ("pdu", "data", "start", "offset", "end", "item", "section")

    def __init__(self, pdu, data, start, end, item, section):
        self.pdu = pdu
        self.data = data
        self.start = self.offset = start
        self.end = end
        self.item = item
        self.section = section

    def read(self, name, kind):
        """The next field; see SubItem for the kinds.

        :raises InvalidPDU: where it does not fit what is left of the item
        """
        if kind in NUMBERS:
            number = NUMBERS[kind]
            return number.unpack(self.take(number.size, name))[0]
        if kind == "byte-2":
            return ord(self.data[self.start - 3:self.start - 2])
        if kind == "rest":
            return self.take(self.end - self.offset, name)
        length = UINT16.unpack(self.take(2, name + "-length"))[0]
        if length > self.end - self.offset:
            raise self.invalid(self.offset - 2, name + "-length", "%d" % length,
                               "at most %d" % (self.end - self.offset))
        if kind == "counted-uids":
            listed = Fields(self.pdu, self.data, self.offset, self.offset + length, self.item, self.section)
            self.offset += length
            return listed.until_end(name)
        data = self.take(length, name)
        return unpadded(data) if kind == "counted-uid" else data

    def until_end(self, name):
        """Counted UIDs up to the end."""
        uids = []
        while self.offset < self.end:
            uids.append(self.read(name, "counted-uid"))
        return uids

    def take(self, length, name):
        """The next bytes, as many as ``length``."""
        left = self.end - self.offset
        if length > left:
            raise self.invalid(self.offset, name, "cut off: %d bytes are left" % left, "%d" % length)
        self.offset += length
        return self.data[self.offset - length:self.offset]

    def finish(self):
        """Nothing may be left.

        :raises InvalidPDU: where something is
        """
        if self.offset != self.end:
            raise self.invalid(self.start - 2, "Item-length", "%d" % (self.end - self.start),
                               "%d" % (self.offset - self.start))

    def invalid(self, offset, name, found, due):
        """The InvalidPDU that tells of one of these fields."""
        return InvalidPDU(self.pdu, offset, "%s of %s" % (name, self.item), self.section, found, due)


def each_item(pdu, data, offset, end, container, section):
    """Yield (Item-type, start of its body, end of its body) for each item from ``offset`` to ``end``.

    :raises InvalidPDU: where an item does not fit what is left of its container
    """
    while offset < end:
        body = offset + 4
        if body > end:
            raise InvalidPDU(pdu, offset, "Item-type and Item-length in " + container, section,
                             "cut off: %d bytes are left" % (end - offset), "4")
        item_type, length = ITEM_HEADER.unpack_from(data, offset)
        if length > end - body:
            raise InvalidPDU(pdu, offset + 2, "Item-length of item %02XH in %s" % (item_type, container), section,
                             "%d" % length, "at most %d" % (end - body))
        offset = body + length
        yield item_type, body, offset


class UnknownItem(Value):
    """An item of a type that this edition does not know: skipped (PS3.8 9.3.1), and written back as it was."""

    __slots__ = ("item_type", "data")

    def encode(self):
        """The whole item."""
        return ITEM_HEADER.pack(self.item_type, len(self.data)) + self.data


class ApplicationContext(Item):
    """10H (PS3.8 9.3.2.1)."""

    __slots__ = ("name",)
    item_type = APPLICATION_CONTEXT

    def body(self):
        """Bytes 5-xxx: the Application-context-name."""
        return self.name

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item."""
        return cls(unpadded(data[start:end]))


class PresentationContextRQ(Item):
    """20H, proposed (PS3.8 9.3.2.2).

    :ivar context_id: odd, 1 to 255; any byte is decoded
    :ivar abstract_syntax: UID
    :ivar transfer_syntaxes: list of UIDs, one at least
    """

    __slots__ = ("context_id", "abstract_syntax", "transfer_syntaxes")
    item_type = PRESENTATION_CONTEXT_RQ

    def body(self):
        """Byte 5 Presentation-context-ID, 6-8 reserved, then one 30H and the 40H."""
        return (struct.pack(">B3x", self.context_id) + _uid_item(ABSTRACT_SYNTAX, self.abstract_syntax)
                + b"".join([_uid_item(TRANSFER_SYNTAX, uid) for uid in self.transfer_syntaxes]))

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: unless there are four bytes, one 30H and at least one 40H
        """
        if end - start < 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Presentation Context", "9.3.2.2", "%d" % (end - start),
                             "at least 4")
        abstract_syntaxes, transfer_syntaxes = [], []
        for item_type, body, after in each_item(pdu, data, start + 4, end, "Presentation Context", "9.3.2.2"):
            if item_type == TRANSFER_SYNTAX:
                transfer_syntaxes.append(unpadded(data[body:after]))
            elif item_type == ABSTRACT_SYNTAX:
                abstract_syntaxes.append(unpadded(data[body:after]))
        if len(abstract_syntaxes) != 1:
            raise InvalidPDU(pdu, start, "number of Abstract Syntax sub-items (30H) of Presentation Context", "9.3.2.2",
                             "%d" % len(abstract_syntaxes), "1")
        if not transfer_syntaxes:
            raise InvalidPDU(pdu, start, "number of Transfer Syntax sub-items (40H) of Presentation Context", "9.3.2.2",
                             "0", "at least 1")
        return cls(ord(data[start:start + 1]), abstract_syntaxes[0], transfer_syntaxes)


class PresentationContextAC(Item):
    """21H, the answer to a proposed context (PS3.8 9.3.3.2).

    :ivar result: 0 to 4, see CONTEXT_RESULTS
    :ivar transfer_syntax: UID; None where it is absent, which some peers do in a refused context
    """

    __slots__ = ("context_id", "result", "transfer_syntax")
    item_type = PRESENTATION_CONTEXT_AC

    def body(self):
        """Byte 5 Presentation-context-ID, 6 reserved, 7 Result/Reason, 8 reserved, then one 40H."""
        head = struct.pack(">BxBx", self.context_id, self.result)
        return head if self.transfer_syntax is None else head + _uid_item(TRANSFER_SYNTAX, self.transfer_syntax)

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: with fewer than four bytes
        """
        if end - start < 4:
            raise InvalidPDU(pdu, start - 2, "Item-length of Presentation Context", "9.3.3.2", "%d" % (end - start),
                             "at least 4")
        transfer_syntax = None
        for item_type, body, after in each_item(pdu, data, start + 4, end, "Presentation Context", "9.3.3.2"):
            if item_type == TRANSFER_SYNTAX and transfer_syntax is None:
                transfer_syntax = unpadded(data[body:after])
        return cls(ord(data[start:start + 1]), ord(data[start + 2:start + 3]), transfer_syntax)


class UserInformation(Item):
    """50H (PS3.8 9.3.2.3): the list of its sub-items, in the order in which they stand."""

    __slots__ = ("sub_items",)
    item_type = USER_INFORMATION

    def body(self):
        """The sub-items, back to back."""
        return b"".join([item.encode() for item in self.sub_items])

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: where a sub-item does not fit, or its content does not fit it
        """
        return cls(decode_items(SUB_ITEMS, pdu, data, start, end, "User Information", "9.3.2.3"))


class SubItem(Item):
    """A user information sub-item: its ``layout`` names the fields of its body as the standard does, and their kinds.

    The kinds: ``byte``, ``uint16`` and ``uint32`` (big endian), ``counted`` (a 2-byte length and as many bytes),
    ``counted-uid``, ``counted-uids`` (a 2-byte length and as many bytes of counted UIDs), ``uid`` and ``rest`` (all
    that is left), and ``byte-2``, the second byte of the item.
    """

    __slots__ = ()
    name_of_item = ""
    section = ""
    layout = ""

    @classmethod
    def fields(cls):
        """(name in the standard, kind) of each field."""
        return [field.split(":") for field in cls.layout.split()]

    def body(self):
        """The fields, back to back."""
        return b"".join([_field_bytes(kind, getattr(self, slot))
                         for slot, (_, kind) in zip(self.__slots__, self.fields())])

    @classmethod
    def decode(cls, pdu, data, start, end):
        """From the body of the item.

        :raises InvalidPDU: where the fields do not fill it exactly
        """
        if cls.layout.endswith(":uid"):     # one field: the common case needs no reader
            return cls(unpadded(data[start:end]))
        fields = Fields(pdu, data, start, end, cls.name_of_item, cls.section)
        item = cls(*[fields.read(name, kind) for name, kind in cls.fields()])
        fields.finish()
        return item


class MaximumLength(SubItem):
    """51H: the longest PDU-length of a P-DATA-TF that the sender takes, in bytes; 0: no limit."""

    __slots__ = ("length",)
    item_type = MAXIMUM_LENGTH
    name_of_item, section = "Maximum Length", "D.1.1"
    layout = "Maximum-length-received:uint32"


class ImplementationClassUID(SubItem):
    """52H."""

    __slots__ = ("uid",)
    item_type = IMPLEMENTATION_CLASS_UID
    name_of_item, section = "Implementation Class UID", "PS3.7 D.3.3.2"
    layout = "Implementation-class-uid:uid"


class AsynchronousOperationsWindow(SubItem):
    """53H: how many operations may be outstanding each way; 0: no limit."""

    __slots__ = ("invoked", "performed")
    item_type = ASYNCHRONOUS_OPERATIONS_WINDOW
    name_of_item, section = "Asynchronous Operations Window", "PS3.7 D.3.3.3"
    layout = "Maximum-number-operations-invoked:uint16 Maximum-number-operations-performed:uint16"


class RoleSelection(SubItem):
    """54H: the roles proposed for one SOP class, 0 or 1 each."""

    __slots__ = ("sop_class", "scu_role", "scp_role")
    item_type = ROLE_SELECTION
    name_of_item, section = "SCP/SCU Role Selection", "PS3.7 D.3.3.4"
    layout = "SOP-class-UID:counted-uid SCU-role:byte SCP-role:byte"


class ImplementationVersionName(SubItem):
    """55H: 1 to 16 characters of ISO 646."""

    __slots__ = ("name",)
    item_type = IMPLEMENTATION_VERSION_NAME
    name_of_item, section = "Implementation Version Name", "PS3.7 D.3.3.2"
    layout = "Implementation-version-name:uid"


class ExtendedNegotiation(SubItem):
    """56H: information that one service class defines for itself."""

    __slots__ = ("sop_class", "information")
    item_type = EXTENDED_NEGOTIATION
    name_of_item, section = "SOP Class Extended Negotiation", "PS3.7 D.3.3.5"
    layout = "SOP-class-UID:counted-uid Service-class-application-information:rest"


class CommonExtendedNegotiation(SubItem):
    """57H: a SOP class, its service class, and the general SOP classes that it is related to.

    :ivar reserved: what follows them, kept for later versions of the sub-item
    :ivar version: byte 2 of the item, which is reserved in all others
    """

    __slots__ = ("sop_class", "service_class", "related", "reserved", "version")
    item_type = COMMON_EXTENDED_NEGOTIATION
    name_of_item, section = "SOP Class Common Extended Negotiation", "PS3.7 D.3.3.6"
    layout = ("SOP-class-UID:counted-uid Service-class-UID:counted-uid "
              "Related-general-sop-class-UID:counted-uids Reserved:rest Sub-item-version:byte-2")

    def encode(self):
        """The whole item; its byte 2 is the version."""
        body = self.body()
        return struct.pack(">BBH", self.item_type, self.version, len(body)) + body


class UserIdentityRQ(SubItem):
    """58H. The two fields hold secrets: they are never logged, and not in the ``repr``.

    :ivar identity_type: 1 user name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JSON Web Token
    :ivar positive_response_requested: 0 or 1
    """

    __slots__ = ("identity_type", "positive_response_requested", "primary", "secondary")
    item_type = USER_IDENTITY_RQ
    name_of_item, section = "User Identity", "PS3.7 D.3.3.7"
    layout = ("User-Identity-Type:byte Positive-response-requested:byte "
              "Primary-field:counted Secondary-field:counted")

    def __repr__(self):
        return "UserIdentityRQ(identity_type=%r)" % self.identity_type


class UserIdentityAC(SubItem):
    """59H. The response may be a secret: it is never logged, and not in the ``repr``."""

    __slots__ = ("response",)
    item_type = USER_IDENTITY_AC
    name_of_item, section = "User Identity", "PS3.7 D.3.3.7"
    layout = "Server-response:counted"

    def __repr__(self):
        return "UserIdentityAC()"


SUB_ITEMS = {item.item_type: item for item in (
    MaximumLength, ImplementationClassUID, AsynchronousOperationsWindow, RoleSelection, ImplementationVersionName,
    ExtendedNegotiation, CommonExtendedNegotiation, UserIdentityRQ, UserIdentityAC)}


def decode_items(known, pdu, data, offset, end, container, section):
    """The list of items from ``offset`` to ``end`` of a PDU; those of no ``known`` type as UnknownItem."""
    items = []
    for item_type, body, after in each_item(pdu, data, offset, end, container, section):
        item = known.get(item_type)
        items.append(UnknownItem(item_type, data[body:after]) if item is None else item.decode(pdu, data, body, after))
    return items


def _uid_item(item_type, uid):
    return ITEM_HEADER.pack(item_type, len(uid)) + uid


def _counted(data):
    return UINT16.pack(len(data)) + data


def _field_bytes(kind, value):
    if kind in NUMBERS:
        return NUMBERS[kind].pack(value)
    if kind == "counted-uids":
        return _counted(b"".join([_counted(uid) for uid in value]))
    if kind == "byte-2":
        return b""
    return _counted(value) if kind.startswith("counted") else value


# =====================================================================================================================
# dul/pdu.py: The seven PDUs of PS3.8 9.3 as value classes: ``decode(bytes)`` and ``encode()``. Pure.
#
# All begin alike: byte 1 PDU-type, byte 2 reserved, bytes 3-6 PDU-length (big endian: bytes that follow). Byte numbers
# in comments count from 1, as the standard does; offsets in errors count from 0.
# =====================================================================================================================

PDU_HEADER = struct.Struct(">BxI")          # PDU-type, PDU-length
_FIXED = struct.Struct(">H2x16s16s32s")     # Protocol-version, Called- and Calling-AE-title, reserved
_SHORT = struct.Struct(">BxI4B")
_PDV = struct.Struct(">IBB")                # Item-length, Presentation-context-ID, message control header


def check_header(pdu_type, length, maximum_length=0):
    """Judge a PDU by its first six bytes alone, before any more of it is read.

    :param maximum_length: the PDU-length that a P-DATA-TF may have at most, in bytes; 0: no limit
    :raises InvalidPDU: for a PDU-type that is none, and for a PDU-length that its type cannot have
    """
    if pdu_type == P_DATA_TF:
        least, most = PDV_OVERHEAD, maximum_length or length
    elif pdu_type in (A_ASSOCIATE_RQ, A_ASSOCIATE_AC):
        least, most = FIXED_LENGTH, LARGEST_RQ
    elif pdu_type in PDU_NAMES:
        least = most = SHORT_LENGTH
    else:
        raise InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "%02XH" % pdu_type, "01H to 07H", ABORT_UNRECOGNIZED_PDU)
    if not least <= length <= most:
        due = "%d" % least if least == most else "at least %d" % least if length < least else "at most %d" % most
        raise InvalidPDU(PDU_NAMES[pdu_type], 2, "PDU-length", PDU_SECTIONS[pdu_type], "%d" % length, due)


class PDU(Value):
    """A PDU; ``pdu_type`` is its first byte."""

    __slots__ = ()
    pdu_type = None

    @classmethod
    def name(cls):
        """As the standard writes it."""
        return PDU_NAMES[cls.pdu_type]

    @classmethod
    def check(cls, data):
        """That the header is this PDU's, and that its PDU-length tells how many bytes follow.

        :raises InvalidPDU: where it does not
        """
        if len(data) < HEADER_LENGTH:
            raise InvalidPDU(cls.name(), len(data), "end", "9.3.1", "here", "%d bytes at least" % HEADER_LENGTH)
        pdu_type, length = PDU_HEADER.unpack_from(data)
        if pdu_type != cls.pdu_type:
            raise InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "%02XH" % pdu_type, "%02XH" % cls.pdu_type)
        check_header(pdu_type, length)
        if length != len(data) - HEADER_LENGTH:
            raise InvalidPDU(cls.name(), 2, "PDU-length", PDU_SECTIONS[pdu_type], "%d" % length,
                             "%d" % (len(data) - HEADER_LENGTH))


class _AAssociate(PDU):
    """What A-ASSOCIATE-RQ and -AC have in common.

    :ivar protocol_version: bit field
    :ivar called: Called-AE-title, the 16 bytes as they stand; in an AC a copy of the RQ's, as the next two
    :ivar calling: Calling-AE-title, likewise
    :ivar reserved: 32 bytes
    :ivar items: the variable items, in the order in which they stand
    """

    __slots__ = ("protocol_version", "called", "calling", "reserved", "items")
    known_items = {}
    context = None

    def encode(self):
        """The whole PDU."""
        items = b"".join([item.encode() for item in self.items])
        return (PDU_HEADER.pack(self.pdu_type, FIXED_LENGTH + len(items))                      # 1-6
                + _FIXED.pack(self.protocol_version, self.called, self.calling, self.reserved)  # 7-74
                + items)                                                                        # 75-xxx

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: where a length or a count is wrong
        """
        cls.check(data)
        version, called, calling, reserved = _FIXED.unpack_from(data, HEADER_LENGTH)
        return cls(version, called, calling, reserved, decode_items(
            cls.known_items, cls.name(), data, HEADER_LENGTH + FIXED_LENGTH, len(data), cls.name(),
            PDU_SECTIONS[cls.pdu_type]))

    @property
    def application_context(self):
        """The Application-context-name, or None where there is none."""
        for item in self.items:
            if type(item) is ApplicationContext:
                return item.name
        return None

    @property
    def presentation_contexts(self):
        """The presentation contexts, in their order."""
        return [item for item in self.items if type(item) is self.context]

    @property
    def user_information(self):
        """The user information sub-items, in their order."""
        return [sub for item in self.items if type(item) is UserInformation for sub in item.sub_items]

    def first(self, kind):
        """The first user information sub-item of this class, or None."""
        for item in self.user_information:
            if type(item) is kind:
                return item
        return None


class AAssociateRQ(_AAssociate):
    """01H (PS3.8 9.3.2)."""

    pdu_type = A_ASSOCIATE_RQ
    known_items = {item.item_type: item for item in (ApplicationContext, PresentationContextRQ, UserInformation)}
    context = PresentationContextRQ

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: where a length or a count is wrong
        """
        request = super(AAssociateRQ, cls).decode(data)
        if len(request.presentation_contexts) > MOST_CONTEXTS:
            raise InvalidPDU(cls.name(), HEADER_LENGTH + FIXED_LENGTH, "number of Presentation Context items (20H)",
                             "9.3.2", "%d" % len(request.presentation_contexts), "at most %d" % MOST_CONTEXTS)
        return request


class AAssociateAC(_AAssociate):
    """02H (PS3.8 9.3.3)."""

    pdu_type = A_ASSOCIATE_AC
    known_items = {item.item_type: item for item in (ApplicationContext, PresentationContextAC, UserInformation)}
    context = PresentationContextAC


class _Short(PDU):
    """A PDU of ten bytes."""

    __slots__ = ()

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU; reserved bytes are not tested.

        :raises InvalidPDU: where it is not ten bytes long, or not this PDU
        """
        cls.check(data)
        return cls(*_SHORT.unpack(data)[6 - len(cls.__slots__):])

    def encode(self):
        """The whole PDU: the last bytes are the fields, those before them reserved."""
        values = [getattr(self, name) for name in self.__slots__]
        return _SHORT.pack(self.pdu_type, SHORT_LENGTH, *([0] * (SHORT_LENGTH - len(values)) + values))


class AAssociateRJ(_Short):
    """03H (PS3.8 9.3.4). Byte 8 Result, 9 Source, 10 Reason/Diag."""

    __slots__ = ("result", "source", "reason")
    pdu_type = A_ASSOCIATE_RJ


class AReleaseRQ(_Short):
    """05H (PS3.8 9.3.6)."""

    __slots__ = ()
    pdu_type = A_RELEASE_RQ


class AReleaseRP(_Short):
    """06H (PS3.8 9.3.7)."""

    __slots__ = ()
    pdu_type = A_RELEASE_RP


class AAbort(_Short):
    """07H (PS3.8 9.3.8). Byte 9 Source, 10 Reason/Diag."""

    __slots__ = ("source", "reason")
    pdu_type = A_ABORT


class PDV(Value):
    """A presentation data value item (PS3.8 9.3.5.1, Annex E).

    :ivar context_id: 0 to 255
    :ivar control: message control header; only bits 0 (command) and 1 (last fragment) mean anything
    :ivar fragment: bytes of a command set or of a data set
    """

    __slots__ = ("context_id", "control", "fragment")

    @property
    def is_command(self):
        """Whether the fragment belongs to a command set (else to a data set)."""
        return bool(self.control & COMMAND_FRAGMENT)

    @property
    def is_last(self):
        """Whether it is the last fragment of its command set or data set."""
        return bool(self.control & LAST_FRAGMENT)

    def encode(self):
        """The whole item: bytes 1-4 Item-length, 5 Presentation-context-ID, 6 control header, then the fragment."""
        return _PDV.pack(len(self.fragment) + 2, self.context_id, self.control) + self.fragment


class PDataTF(PDU):
    """04H (PS3.8 9.3.5): one PDV or more."""

    __slots__ = ("pdvs",)
    pdu_type = P_DATA_TF

    def encode(self):
        """The whole PDU."""
        pdvs = b"".join([pdv.encode() for pdv in self.pdvs])
        return PDU_HEADER.pack(P_DATA_TF, len(pdvs)) + pdvs

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole PDU.

        :raises InvalidPDU: unless one PDV or more fill it exactly
        """
        cls.check(data)
        pdvs, offset, end = [], HEADER_LENGTH, len(data)
        while offset < end:
            if end - offset < PDV_OVERHEAD:
                raise InvalidPDU("P-DATA-TF", offset, "PDV item", "9.3.5.1",
                                 "cut off: %d bytes are left" % (end - offset), "%d at least" % PDV_OVERHEAD)
            length, context_id, control = _PDV.unpack_from(data, offset)
            if not 2 <= length <= end - offset - 4:
                raise InvalidPDU("P-DATA-TF", offset, "Item-length of PDV item", "9.3.5.1", "%d" % length,
                                 "2 to %d" % (end - offset - 4))
            pdvs.append(PDV(context_id, control, data[offset + PDV_OVERHEAD:offset + 4 + length]))
            offset += 4 + length
        return cls(pdvs)


PDUS = {pdu.pdu_type: pdu for pdu in (
    AAssociateRQ, AAssociateAC, AAssociateRJ, PDataTF, AReleaseRQ, AReleaseRP, AAbort)}


def decode_pdu(data):
    """The PDU of any type that these bytes are, whole.

    :raises InvalidPDU: where they are none
    """
    if len(data) < HEADER_LENGTH:
        raise InvalidPDU("PDU", len(data), "end", "9.3.1", "here", "%d bytes at least" % HEADER_LENGTH)
    check_header(*PDU_HEADER.unpack_from(data))
    return PDUS[ord(data[:1])].decode(data)


# =====================================================================================================================
# dul/fsm.py: The DICOM Upper Layer state machine: PS3.8 9.2 and its Table 9-10, as data. Only this file decides state.
#
# States, events and actions have the standard's names. A cell that is blank in the standard is absent here, and
# asking for it is an error. Requestor cells are kept too, because the table is checked whole.
# =====================================================================================================================

class State(object):
    """One of the 13 states of PS3.8 Table 9-1 to 9-5."""

    __slots__ = ("name", "meaning")

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning

    def __repr__(self):
        return self.name


class Event(object):
    """One of the 19 events of PS3.8 Table 9-10."""

    __slots__ = ("name", "meaning")

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning

    def __repr__(self):
        return self.name


class Action(object):
    """One of the 28 actions of PS3.8 Tables 9-6 to 9-9.

    :param next_states: one state, or two where the action itself finds out which (AE-6 and AR-8 alone)
    :param artim: for each next state START, STOP, or None where the action leaves the ARTIM timer alone
    :param needs: how much of the PDU received it needs: HEADER (it is carried out before the rest arrives), WHOLE (all
        of it has arrived), CONTENT (it is decoded, too); None for actions that no PDU leads to
    """

    __slots__ = ("name", "next_states", "next_state", "artim", "timer", "needs", "effect", "meaning")

    def __init__(self, name, next_states, artim, needs, meaning):
        self.name = name
        self.next_states = next_states
        self.artim = artim
        self.next_state, self.timer = (next_states[0], artim[0]) if len(next_states) == 1 else (None, None)
        self.needs = needs
        self.effect = name.lower().replace("-", "_")    # the method of Association that carries it out
        self.meaning = meaning

    def __repr__(self):
        return self.name


Sta1 = State("Sta1", "idle")
Sta2 = State("Sta2", "transport connection open, awaiting A-ASSOCIATE-RQ")
Sta3 = State("Sta3", "awaiting local A-ASSOCIATE response")
Sta4 = State("Sta4", "awaiting transport connection opening")
Sta5 = State("Sta5", "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ")
Sta6 = State("Sta6", "association established, ready for data transfer")
Sta7 = State("Sta7", "awaiting A-RELEASE-RP")
Sta8 = State("Sta8", "awaiting local A-RELEASE response")
Sta9 = State("Sta9", "release collision requestor side, awaiting local A-RELEASE response")
Sta10 = State("Sta10", "release collision acceptor side, awaiting A-RELEASE-RP")
Sta11 = State("Sta11", "release collision requestor side, awaiting A-RELEASE-RP")
Sta12 = State("Sta12", "release collision acceptor side, awaiting local A-RELEASE response")
Sta13 = State("Sta13", "awaiting transport connection close")
STATES = (Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13)

Evt1 = Event("Evt1", "A-ASSOCIATE request (local user)")
Evt2 = Event("Evt2", "transport connection confirmed")
Evt3 = Event("Evt3", "A-ASSOCIATE-AC received")
Evt4 = Event("Evt4", "A-ASSOCIATE-RJ received")
Evt5 = Event("Evt5", "transport connection indication")
Evt6 = Event("Evt6", "A-ASSOCIATE-RQ received")
Evt7 = Event("Evt7", "A-ASSOCIATE response: accept (local user)")
Evt8 = Event("Evt8", "A-ASSOCIATE response: reject (local user)")
Evt9 = Event("Evt9", "P-DATA request (local user)")
Evt10 = Event("Evt10", "P-DATA-TF received")
Evt11 = Event("Evt11", "A-RELEASE request (local user)")
Evt12 = Event("Evt12", "A-RELEASE-RQ received")
Evt13 = Event("Evt13", "A-RELEASE-RP received")
Evt14 = Event("Evt14", "A-RELEASE response (local user)")
Evt15 = Event("Evt15", "A-ABORT request (local user)")
Evt16 = Event("Evt16", "A-ABORT received")
Evt17 = Event("Evt17", "transport connection closed")
Evt18 = Event("Evt18", "ARTIM timer expired")
Evt19 = Event("Evt19", "unrecognized or invalid PDU received")
EVENTS = (Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15, Evt16, Evt17,
          Evt18, Evt19)

START, STOP = "start", "stop"
HEADER, WHOLE, CONTENT = "header", "whole", "content"

# PS3.8 Tables 9-6 to 9-9: action, next state, what becomes of the ARTIM timer, how much of the PDU it needs, effect.
ACTION_LINES = """
AE-1   Sta4        -           -        open the transport connection
AE-2   Sta5        -           -        send A-ASSOCIATE-RQ
AE-3   Sta6        -           content  confirm the association to the user
AE-4   Sta1        -           content  confirm the rejection to the user, close
AE-5   Sta2        start       -        accept the transport connection
AE-6   Sta3/Sta13  stop/start  content  acceptable: indicate the association to the user; if not: send A-ASSOCIATE-RJ
AE-7   Sta6        -           -        send A-ASSOCIATE-AC
AE-8   Sta13       start       -        send A-ASSOCIATE-RJ
DT-1   Sta6        -           -        send P-DATA-TF
DT-2   Sta6        -           content  hand the P-DATA to the user
AR-1   Sta7        -           -        send A-RELEASE-RQ
AR-2   Sta8        -           whole    indicate the release to the user
AR-3   Sta1        -           whole    confirm the release to the user, close
AR-4   Sta13       start       -        send A-RELEASE-RP
AR-5   Sta1        stop        -        stop ARTIM
AR-6   Sta7        -           content  hand the P-DATA to the user
AR-7   Sta8        -           -        send P-DATA-TF
AR-8   Sta9/Sta10  -           whole    indicate the release collision to the user
AR-9   Sta11       -           -        send A-RELEASE-RP
AR-10  Sta12       -           whole    confirm the release to the user
AA-1   Sta13       start       header   send A-ABORT (service-user)
AA-2   Sta1        stop        content  close the transport connection
AA-3   Sta1        -           content  indicate the abort to the user, close
AA-4   Sta1        -           -        indicate the loss of the connection to the user
AA-5   Sta1        stop        -        stop ARTIM
AA-6   Sta13       -           whole    ignore the PDU
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
    """The actions of ACTION_LINES by name."""
    words = {word: word for word in (START, STOP, HEADER, WHOLE, CONTENT)}
    actions = {}
    for line in lines.strip().splitlines():
        name, following, timer, needs, meaning = line.split(None, 4)
        following = tuple([states[state] for state in following.split("/")])
        timer = tuple([words.get(word) for word in timer.split("/")])
        actions[name] = Action(name, following, timer * (len(following) // len(timer)), words.get(needs), meaning)
    return actions


def read_table(lines, states, events, actions):
    """{event: {state: action}} of TABLE_LINES; blank cells are absent."""
    rows = [line.split() for line in lines.strip().splitlines()]
    return {events[row[0]]: {states[state]: actions[name] for state, name in zip(rows[0], row[1:]) if name != "."}
            for row in rows[1:]}


STATES_BY_NAME = {state.name: state for state in STATES}
ACTIONS = read_actions(ACTION_LINES, STATES_BY_NAME)
TABLE = read_table(TABLE_LINES, STATES_BY_NAME, {event.name: event for event in EVENTS}, ACTIONS)


class Undefined(Exception):
    """An event that PS3.8 Table 9-10 leaves blank in this state: a mistake of the program, never a peer's doing."""

    def __init__(self, state, event):
        Exception.__init__(self, state, event)

    def __str__(self):
        state, event = self.args
        return "%s (%s) has no cell in %s (%s)" % (event, event.meaning, state, state.meaning)


class Machine(object):
    """The state of one association. It starts in Sta1 and is over when it is there again."""

    __slots__ = ("state",)

    def __init__(self):
        self.state = Sta1

    def action(self, event):
        """The action of this event in this state.

        :raises Undefined: where the table has no cell
        """
        try:
            return TABLE[event][self.state]
        except KeyError:
            raise Undefined(self.state, event)

    def enter(self, action, branch=0):
        """Go to the action's next state; ``branch`` picks it where there are two. Returns START, STOP or None."""
        if action.next_state is not None:
            self.state = action.next_state
            return action.timer
        self.state = action.next_states[branch]
        return action.artim[branch]

    def allows(self, event):
        """Whether the table has a cell for this event now."""
        return self.state in TABLE[event]

    def stays(self, events):
        """Whether each of these events may happen now, and leaves the state as it is."""
        here = [TABLE[event].get(self.state) for event in events]
        return None not in here and all([action.next_state is self.state for action in here])

    @property
    def over(self):
        """Whether there is no association and no connection (Sta1)."""
        return self.state is Sta1


# =====================================================================================================================
# dul/acse.py: What an A-ASSOCIATE-RQ is answered with (PS3.8 7.1, 9.3.3; PS3.7 D.3). Pure.
# =====================================================================================================================

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


# =====================================================================================================================
# dul/dimse.py: Command sets, their fragments, C-ECHO request and response (PS3.7 6.3, 9.3.5; PS3.8 Annex E). Pure.
#
# A command set is always Implicit VR Little Endian: elements of group (2 bytes), element (2), length (4), value.
# =====================================================================================================================

ELEMENT_HEADER = struct.Struct("<HHI")      # group, element, value length
US = struct.Struct("<H")
_NUMBER_ELEMENT = struct.Struct("<HHIH")
_GROUP_LENGTH = struct.Struct("<HHII")


def element_name(element):
    """``Command Field (0000,0100)``."""
    return "%s (0000,%04X)" % (ELEMENT_NAMES.get(element, "element"), element)


def command_name(field):
    """``C-STORE-RQ``, or the number where it has no name."""
    return COMMAND_NAMES.get(field, "command %04XH" % field)


class CommandSet(Value):
    """A command set (PS3.7 6.3, E.1).

    :ivar elements: list of (element number in group 0000, value as bytes) without the Command Group Length
    """

    __slots__ = ("elements",)

    @classmethod
    def decode(cls, data):
        """From the bytes of a whole command set. The Command Group Length may be absent or wrong.

        :raises MessageError: where an element does not fit, is not of group 0000, or comes twice
        """
        elements, seen, offset = [], set(), 0
        while offset < len(data):
            if len(data) - offset < 8:
                raise _invalid(offset, "element", "cut off: %d bytes are left" % (len(data) - offset), "8 at least")
            group, element, length = ELEMENT_HEADER.unpack_from(data, offset)
            if group:
                raise _invalid(offset, "group", "%04XH" % group, "0000H")
            if element in seen:
                raise _invalid(offset, element_name(element), "there a second time", "once at most")
            seen.add(element)
            offset += 8
            if length > len(data) - offset:
                raise _invalid(offset - 4, "Value Length of " + element_name(element), "%d" % length,
                               "at most %d" % (len(data) - offset))
            if element != COMMAND_GROUP_LENGTH:
                elements.append((element, data[offset:offset + length]))
            offset += length
        return cls(elements)

    def encode(self):
        """The whole command set, with its Command Group Length."""
        body = b"".join([ELEMENT_HEADER.pack(0, element, len(value)) + value for element, value in self.elements])
        return _GROUP_LENGTH.pack(0, COMMAND_GROUP_LENGTH, 4, len(body)) + body

    def value(self, element):
        """The value of an element as bytes, or None where it is absent."""
        for number, value in self.elements:
            if number == element:
                return value
        return None

    def number(self, element):
        """The value of an element of VR US.

        :raises MessageError: where it is absent, or not two bytes long
        """
        value = self.value(element)
        if value is None or len(value) != US.size:
            raise MessageError("command set: %s is %s, due: 2 bytes (PS3.7 E.1)" % (
                element_name(element), "absent" if value is None else "%d bytes long" % len(value)))
        return US.unpack(value)[0]


class EchoRequest(Value):
    """A C-ECHO-RQ (PS3.7 9.3.5.1).

    :ivar message_id: 0 to 65535
    :ivar sop_class: Affected SOP Class UID; None where it is absent, which is forgiven
    """

    __slots__ = ("message_id", "sop_class")

    @classmethod
    def of(cls, command):
        """The C-ECHO-RQ that a command set is.

        :raises MessageError: where it is another command, or lacks what a C-ECHO-RQ has, or announces a data set
        """
        field = command.number(COMMAND_FIELD)
        if field != C_ECHO_RQ:
            raise MessageError("%s on Verification, which knows C-ECHO-RQ alone (PS3.7 9.1.5)" % command_name(field))
        message_id = command.number(MESSAGE_ID)
        data_set = command.number(COMMAND_DATA_SET_TYPE)
        if data_set != NO_DATA_SET:
            raise MessageError("C-ECHO-RQ with a data set: %s is %04XH, due: %04XH (PS3.7 9.3.5.1)" % (
                element_name(COMMAND_DATA_SET_TYPE), data_set, NO_DATA_SET))
        sop_class = command.value(AFFECTED_SOP_CLASS_UID)
        return cls(message_id, None if sop_class is None else unpadded(sop_class))

    @property
    def status(self):
        """The Status that it is answered with (PS3.7 9.1.5.1.4)."""
        return SUCCESS if self.sop_class in (None, VERIFICATION) else SOP_CLASS_NOT_SUPPORTED

    def encode(self):
        """The command set of the request."""
        return CommandSet([
            (AFFECTED_SOP_CLASS_UID, even(VERIFICATION if self.sop_class is None else self.sop_class)),
            (COMMAND_FIELD, US.pack(C_ECHO_RQ)),
            (MESSAGE_ID, US.pack(self.message_id)),
            (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET)),
        ]).encode()

    def response(self):
        """The command set of the C-ECHO-RSP (PS3.7 9.3.5.2). It names Verification, whatever the request named."""
        return CommandSet([
            (AFFECTED_SOP_CLASS_UID, even(VERIFICATION)),
            (COMMAND_FIELD, US.pack(C_ECHO_RSP)),
            (MESSAGE_ID_BEING_RESPONDED_TO, US.pack(self.message_id)),
            (COMMAND_DATA_SET_TYPE, US.pack(NO_DATA_SET)),
            (STATUS, US.pack(self.status)),
        ]).encode()


class Assembler(object):
    """Puts the fragments of command sets together (PS3.8 Annex E), in bounded memory."""

    __slots__ = ("context_id", "fragments", "size")

    def __init__(self):
        self.clear()

    def clear(self):
        """Begin a new command set."""
        self.context_id = None
        self.fragments = []
        self.size = 0

    @property
    def begun(self):
        """Whether fragments of a command set are there, and its last one is not."""
        return self.context_id is not None

    def add(self, pdv, contexts):
        """Take one PDV. Returns the bytes of the command set that it completes, or None.

        :param contexts: the accepted presentation context IDs
        :raises MessageError: where the PDV cannot be here
        """
        if pdv.context_id not in contexts:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d, due: one that was accepted (%s) "
                               "(PS3.8 9.3.5.1)" % (pdv.context_id, ", ".join("%d" % i for i in sorted(contexts))))
        if not pdv.is_command:
            raise MessageError("P-DATA-TF: fragment of a data set, due: of a command set (PS3.8 E.2)")
        if self.begun and pdv.context_id != self.context_id:
            raise MessageError("P-DATA-TF: Presentation-context-ID is %d in the middle of a command set, due: %d "
                               "(PS3.8 E.1)" % (pdv.context_id, self.context_id))
        self.context_id = pdv.context_id
        self.fragments.append(pdv.fragment)
        self.size += max(2, len(pdv.fragment))      # so that fragments without content come to an end too
        if self.size > LARGEST_COMMAND_SET:
            raise MessageError("command set: longer than %d bytes, the most that is taken here" % LARGEST_COMMAND_SET)
        if not pdv.is_last:
            return None
        data = b"".join(self.fragments)
        self.clear()
        return data


def even(data):
    """Padded with one NUL to an even length, as a UID in a command set is (PS3.5 9.1)."""
    return data + b"\0" * (len(data) % 2)


def to_pdus(context_id, command, maximum_length):
    """The P-DATA-TF PDUs of a command set, encoded, one PDV each.

    :param maximum_length: the longest PDU-length that the peer takes, in bytes; 0: no limit
    :raises MessageError: where not even two bytes of it would fit
    """
    most = len(command)
    if maximum_length:
        if maximum_length < MINIMUM_MAXIMUM_LENGTH:
            raise MessageError("A-ASSOCIATE-RQ: Maximum-length-received is %d, due: 0 or at least %d, or nothing can "
                               "be answered (PS3.8 D.1)" % (maximum_length, MINIMUM_MAXIMUM_LENGTH))
        most = (maximum_length - PDV_OVERHEAD) // 2 * 2
    pdus = []
    for start in range(0, len(command), most):
        control = COMMAND_FRAGMENT | (LAST_FRAGMENT if start + most >= len(command) else 0)
        pdus.append(PDataTF([PDV(context_id, control, command[start:start + most])]).encode())
    return pdus


# The C-ECHO-RQ and -RSP that every toolkit sends, in which only two fields vary: byte 10 is the
# Presentation-context-ID, bytes 68-69 the Message ID.
_ECHO_RQ = to_pdus(0, EchoRequest(0, VERIFICATION).encode(), 0)[0]
_ECHO_RSP = to_pdus(0, EchoRequest(0, VERIFICATION).response(), 0)[0]
_RQ_TAIL, _RSP_TAIL = _ECHO_RQ[70:], _ECHO_RSP[70:]


class CommonEcho(object):
    """Answers the common C-ECHO-RQ on one accepted context as decoding it would, without decoding it.

    :param context_id: of the accepted presentation context
    """

    __slots__ = ("request", "response")

    LENGTH = len(_ECHO_RSP) - HEADER_LENGTH     # the PDU-length of the answer

    def __init__(self, context_id):
        varying = struct.pack("B", context_id)
        self.request = _ECHO_RQ[:10] + varying + _ECHO_RQ[11:68]
        self.response = _ECHO_RSP[:10] + varying + _ECHO_RSP[11:68]

    def answer(self, data):
        """The P-DATA-TF that answers these bytes, if they are that C-ECHO-RQ and nothing else; else None."""
        if len(data) == len(_ECHO_RQ) and data.startswith(self.request) and data.endswith(_RQ_TAIL):
            return self.response + data[68:70] + _RSP_TAIL
        return None


def _invalid(offset, field, found, due):
    return MessageError("command set: %s at byte %d is %s, due: %s (PS3.7 6.3.1)" % (field, offset, found, due))


# =====================================================================================================================
# dul/transport.py: One TCP connection: bytes in and out of a blocking socket, within one absolute deadline.
# =====================================================================================================================

LONGEST_WAIT = 86400.0      # seconds; a longer timeout is waited for in pieces, because kernels do not take any number
SHORTEST_WAIT = 0.001


class Transport(object):
    """A socket with a clock.

    :param sock: a connected, blocking socket; it belongs to this object from now on
    :param send_limit: seconds that a peer which does not read may hold up one send
    """

    __slots__ = ("sock", "send_limit", "deadline", "armed")

    def __init__(self, sock, send_limit):
        self.sock = sock
        self.send_limit = send_limit
        self.deadline = None    # on the monotonic clock
        self.armed = None       # seconds that the next recv waits at most, as the socket knows it
        try:
            if sock.gettimeout() is not None:   # socket.setdefaulttimeout(): ours are the clocks here
                sock.setblocking(True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            set_send_timeout(sock, send_limit)
        except socket.error:    # some systems refuse it where the peer has gone already; the first recv finds that out
            pass

    def set_deadline(self, deadline):
        """From now on, receiving ends at this moment on the monotonic clock; None: never."""
        self.deadline = deadline
        if deadline is None:
            self._arm(None)

    def receive(self, most):
        """Bytes that have arrived, ``most`` at most; ``b""`` at the end of the stream.

        :raises Expired: at the deadline
        :raises ConnectionLost: where the connection is reset, or the network gone
        """
        while True:
            if self.deadline is not None:
                left = self.deadline - monotonic()
                if left <= 0:
                    raise Expired()
                self._arm(min(max(left, SHORTEST_WAIT), LONGEST_WAIT))
            try:
                return self.sock.recv(most)
            except socket.timeout:
                pass
            except (socket.error, ValueError) as error:     # ValueError: closed meanwhile, on Python 2.7
                code = getattr(error, "errno", None)
                if code not in TIMED_OUT and code not in INTERRUPTED:
                    raise ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error))

    def hurry(self):
        """Acknowledge at once what has arrived: half a PDU may be followed by the rest only then.

        A peer that writes a PDU in pieces, with Nagle's algorithm on, waits for that, and kernels take some 40 ms.
        """
        quick_acknowledge(self.sock)

    def send(self, data):
        """Send all of it.

        :raises ConnectionLost: where the peer is gone, or has not read for the send limit
        """
        if not KERNEL_TIMEOUTS:
            self.sock.settimeout(self.send_limit)
            self.armed = self.send_limit
        try:
            self.sock.sendall(data)
        except (socket.error, ValueError) as error:
            if isinstance(error, socket.timeout) or getattr(error, "errno", None) in TIMED_OUT:
                raise ConnectionLost("the peer has not read what was sent to it for %g s" % self.send_limit)
            raise ConnectionLost("connection lost: %s" % (getattr(error, "strerror", None) or error))

    def _arm(self, seconds):
        # A wait that is a little long is found out after it; only one that is too long by more needs a system call.
        if seconds is None or self.armed is None:
            if seconds is self.armed:
                return
        elif seconds <= self.armed <= seconds + SHORTEST_WAIT:
            return
        set_receive_timeout(self.sock, seconds)
        self.armed = seconds

    def interrupt(self):
        """Wake whoever is receiving, as if the stream had ended. May be called from any thread."""
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except (socket.error, ValueError):
            pass

    def close(self):
        """Close the connection; what was sent is still delivered (PS3.8 9.1.4: not an abortive close)."""
        try:
            self.sock.close()
        except (socket.error, ValueError):
            pass


# =====================================================================================================================
# dul/reader.py: The PDU reader: one PDU after another from a stream of bytes, judged by its header before the rest is read.
# =====================================================================================================================

FIRST_READ = 448        # bytes: room for most PDUs that come, and what CPython allocates without asking the system
NEXT_READ = 16384       # bytes: nothing more is allocated before it has arrived


class PDUReader(object):
    """Cuts a stream into PDUs.

    :param receive: called with a number of bytes, returns that many at most, ``b""`` at the end of the stream; its
        exceptions pass through
    :param hurry: called when a PDU has come in part, before the rest is waited for
    """

    __slots__ = ("receive", "hurry", "buffer", "received", "pdu_type", "length", "lost")

    def __init__(self, receive, hurry=None):
        self.receive = receive
        self.hurry = hurry or _nothing
        self.buffer = b""
        self.received = 0           # bytes that are here of the PDU whose header the next two are
        self.pdu_type = None
        self.lost = False           # nobody can say any more where a PDU begins: all that comes is thrown away
        self.length = None

    def header(self):
        """(PDU-type, PDU-length) of the next PDU; what was not taken of the last one is thrown away first.

        :raises ConnectionLost: at the end of the stream
        """
        while self.lost:
            self.buffer = b""
            self.feed(self.receive(NEXT_READ))
        if self.length is not None:
            self.skip()
        buffer = self.buffer
        while len(buffer) < HEADER_LENGTH:
            if buffer:
                self.hurry()
            buffer = self.feed(self.receive(FIRST_READ))
        self.pdu_type, self.length = header = PDU_HEADER.unpack_from(buffer)
        return header

    def feed(self, data):
        """Take bytes that have arrived, and return all that wait to be cut.

        :raises ConnectionLost: where there are none, which is the end of the stream
        """
        if not data:
            raise ConnectionLost("connection closed by the peer")
        self.buffer = self.buffer + data if self.buffer else data
        return self.buffer

    @property
    def between(self):
        """Whether nothing of the next PDU is here, and nothing of the last one to come."""
        return not self.buffer and self.length is None

    def pdu(self):
        """The whole PDU whose header was read last.

        :raises ConnectionLost: where the stream ends before it
        """
        buffer, total = self.buffer, HEADER_LENGTH + self.length
        if len(buffer) == total:
            self.buffer, self.length = b"", None
            return buffer
        if len(buffer) < total:
            buffer = self._gather(total)
        self.length = None
        self.buffer = bytes(buffer[total:])
        return bytes(buffer[:total])

    def _gather(self, total):
        gathered = bytearray(self.buffer)
        while len(gathered) < total:
            self.received = len(gathered)
            self.hurry()
            data = self.receive(min(NEXT_READ, total - len(gathered)))
            if not data:
                raise ConnectionLost("connection closed by the peer")
            gathered += data
        return gathered

    def skip(self):
        """Throw away the PDU whose header was read last, as it arrives; nothing of it is kept.

        :raises ConnectionLost: where the stream ends before it
        """
        left = HEADER_LENGTH + self.length - len(self.buffer)
        self.buffer = self.buffer[HEADER_LENGTH + self.length:]
        while left > 0:
            self.received = HEADER_LENGTH + self.length - left
            data = self.receive(NEXT_READ)
            if not data:
                raise ConnectionLost("connection closed by the peer")
            self.buffer = data[left:]
            left -= len(data)
        self.length = None

    def progress(self):
        """How far the PDU at hand came: ``22 of 205 bytes of A-ASSOCIATE-RQ``, or an empty string for nothing of it."""
        if self.length is None:
            here = len(self.buffer)
            return "%d of the %d bytes of a PDU header" % (here, HEADER_LENGTH) if 0 < here < HEADER_LENGTH else ""
        return "%d of %d bytes of %s" % (max(self.received, HEADER_LENGTH), HEADER_LENGTH + self.length,
                                         PDU_NAMES.get(self.pdu_type, "PDU %02XH" % self.pdu_type))


def _nothing():
    """Nothing."""


# =====================================================================================================================
# dul/names.py: The names of UIDs, for people: the few that matter for Verification, and pydicom's where it is installed.
#
# pydicom is imported only when the first name is asked for that this table has not.
# =====================================================================================================================

PYDICOM_LOCK = threading.Lock()     # for what is the whole process's while pydicom reads: the filters of warnings


def uid_name(uid):
    """``Verification SOP Class``; for a UID without a known name the UID itself, escaped.

    :param uid: bytes without padding
    """
    text = escaped(uid)
    return UID_NAMES.get(text) or _pydicom_name(text) or text


def named_uid(uid):
    """``=Verification SOP Class``, or the plain UID: as DCMTK's dumps have it."""
    name, text = uid_name(uid), escaped(uid)
    return text if name == text else "=" + name


def data_set_lines(command_set):
    """pydicom's dump of a command set, a list of lines; None where pydicom is not installed or cannot read it."""
    return _ask_pydicom(_dump, command_set)


def _pydicom_name(text):
    if not text.startswith("1.2.840.10008.") or text.strip("0123456789.") or len(text) > UID_LENGTH:
        return None
    name = _ask_pydicom(_name, text)
    return None if name == text else name


def _ask_pydicom(question, subject):
    try:
        import warnings
        with PYDICOM_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")     # they would go to the terminal, with what the peer sent
            return question(subject)
    except Exception:  # a package that this program does not need must not be able to stop it
        return None


def _name(uid):
    from pydicom.uid import UID
    return escaped(str(UID(uid).name))


def _dump(command_set):
    from io import BytesIO
    from pydicom.filereader import read_dataset
    return [escaped(line) for line in str(read_dataset(BytesIO(command_set), True, True)).splitlines()]


# =====================================================================================================================
# dul/dump.py: PDUs and command sets as lines of text, in DCMTK's manner and the manual's wording. Pure.
# =====================================================================================================================

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


# =====================================================================================================================
# dul/foreign.py: What a peer speaks that does not speak DICOM, told from its first bytes: for our user, never for the peer. Pure.
# =====================================================================================================================

SHOWN = 80              # bytes of a request line or banner that are shown at most
TLS_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SERVER_NAME, SUPPORTED_VERSIONS = 0, 43     # TLS extensions (RFC 6066, RFC 8446)
HTTP_METHODS = (
    b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ", b"DELETE ", b"CONNECT ", b"TRACE ", b"PATCH ", b"PRI ")
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def protocol_of(data):
    """What these first bytes are and what that means, in one sentence; None where they look like nothing known.

    :param data: what has arrived, from the first byte of the connection
    """
    for recognize in (_tls, _http, _hl7, _ssh, _smb, _rdp, _proxy):
        sentence = recognize(data)
        if sentence:
            return sentence
    return None


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
        version = struct.unpack_from(">H", data, 1)[0]      # of the record, then of the hello
        version = struct.unpack_from(">H", data, 9)[0]
        for size in (">B", ">H", ">B"):     # session ID, cipher suites, compression methods
            offset += struct.calcsize(size) + struct.unpack_from(size, data, offset)[0]
        offset += 2
        while True:
            extension, length = struct.unpack_from(">HH", data, offset)
            body = data[offset + 4:offset + 4 + length]
            if extension == SERVER_NAME:
                name = body[5:5 + struct.unpack_from(">H", body, 3)[0]]
            elif extension == SUPPORTED_VERSIONS:
                found = [struct.unpack_from(">H", body, i)[0] for i in range(1, len(body) - 1, 2)]
                version = max([v for v in found if v in TLS_VERSIONS] + [version])
            offset += 4 + length
    except struct.error:                    # the end of what is there
        return version, name


def _http(data):
    if not data.startswith(HTTP_METHODS):
        return None
    return "HTTP request (%s): the peer is a browser, a web client or a health check" % _line(data)


def _hl7(data):
    if data[:4] in (b"\x0bMSH", b"MSH|") or data[:4] in (b"\x0bFHS", b"\x0bBHS"):
        return "HL7 version 2 message (%s): the peer sends HL7 over MLLP, it wants another port" % _line(data)
    return None


def _ssh(data):
    return "SSH (%s): the peer is an SSH client" % _line(data) if data[:4] == b"SSH-" else None


def _smb(data):
    if data[4:8] in (b"\xffSMB", b"\xfeSMB"):
        return "SMB (%s): the peer looks for Windows file shares" % (
            "version 1" if data[4:5] == b"\xff" else "version 2 or 3")
    return None


def _rdp(data):
    if data[:2] == b"\x03\0" and data[5:6] == b"\xe0":
        return "RDP connection request: the peer looks for a Windows remote desktop"
    return None


def _proxy(data):
    if data.startswith(PROXY_V2):
        return "PROXY protocol version 2: a load balancer announces its client; switch that off there"
    if data.startswith(b"PROXY "):
        return "PROXY protocol version 1 (%s): a load balancer announces its client; switch that off there" % _line(
            data)
    return None


def _line(data):
    line = data.lstrip(b"\x0b").replace(b"\n", b"\r").split(b"\r")[0]
    return escaped(line[:SHOWN]) + (" ..." if len(line) > SHOWN else "")


# =====================================================================================================================
# dul/report.py: What happens, told three ways: log lines in the manual's words, notices to an embedding program, and the sums.
#
# The logger is ``echoscp``. logging is imported when the server listens already, and before it serves: then a line can
# be logged even when no file can be opened any more.
# =====================================================================================================================

LOGGER = "echoscp"
CRITICAL, ERROR, WARNING, INFO, DEBUG = 50, 40, 30, 20, 10      # as in logging
LONGEST_LINE = 2000             # characters; a peer can send a UID of 65535 bytes
BARE_CONNECT_PAUSE = 60.0       # seconds until a bare connect from the same address is told again
BARE_CONNECT_ADDRESSES = 1024   # addresses that are remembered for that at most

# Kinds of notices
CONNECTED, RECEIVED, ACCEPTED, REJECTED, ECHOED, RELEASED, ABORTED, ABORTING, LOST, EXPIRED, BARE, CLOSED = (
    "connected", "received", "accepted", "rejected", "echoed", "released", "aborted", "aborting", "lost", "expired",
    "bare", "closed")
FAULTS = "faults"       # of ours, among the sums


class Notice(object):
    """One thing that happened, for the ``on_event`` of EchoServer.

    :ivar kind: ``connected``, ``received`` (an A-ASSOCIATE-RQ), ``accepted``, ``rejected``, ``echoed``, ``released``,
        ``aborted`` (by the peer), ``aborting`` (by us), ``lost`` (the connection), ``expired`` (ARTIM), ``bare`` (the
        connection ended without a byte), ``closed``
    :ivar association: its number, from 1
    :ivar peer: ``address:port``
    :ivar calling: Calling-AE-title, as text, ``calling`` and ``called`` empty until the A-ASSOCIATE-RQ
    :ivar called: Called-AE-title
    :ivar message_id: of the C-ECHO-RQ, with ``echoed``; else None
    :ivar sentence: why, where something went wrong; the same as in the log; else an empty string
    :ivar error: the PeerError that it is about, or None
    :ivar handle: the Association, whose ``release()`` and ``abort()`` may be called from within the callback
    """

    __slots__ = ("kind", "association", "peer", "calling", "called", "message_id", "sentence", "error", "handle")

    def __init__(self, kind, handle, message_id=None, error=None, sentence=""):
        self.kind = kind
        self.association = handle.number
        self.peer = handle.peer
        self.calling = handle.calling
        self.called = handle.called
        self.message_id = message_id
        self.error = error
        self.sentence = sentence
        self.handle = handle

    def __repr__(self):
        return "Notice(%s, association=%d, peer=%s%s)" % (
            self.kind, self.association, self.peer, ": " + self.sentence if self.sentence else "")


def enabled(level):
    """Whether a line of this level would go anywhere. As long as nobody has imported logging, the default holds."""
    logging = sys.modules.get("logging")
    return level >= WARNING if logging is None else logging.getLogger(LOGGER).isEnabledFor(level)


def shortened(text):
    """The text, cut where it is longer than LONGEST_LINE."""
    if len(text) <= LONGEST_LINE:
        return text
    return "%s ... (%d characters more)" % (text[:LONGEST_LINE], len(text) - LONGEST_LINE)


class Report(object):
    """Tells what happens in a server.

    :param on_event: called with each Notice, in the association's thread; what it raises is logged
    """

    def __init__(self, on_event=None):
        self.on_event = on_event
        self.lock = threading.Lock()
        self.sums = {}          # {kind: how often}, of associations that are over
        self.slowest = 0.0      # seconds from a C-ECHO-RQ to its response, measured at debug alone
        self.open = self.most = self.number = 0
        self.bare = {}          # {address: when a bare connect from it was last told}

    # ---- what happens in an association, in the order in which it can

    def connected(self, a):
        """A connection was accepted: gives it its number, and decides what is worth telling of it."""
        with self.lock:
            self.number += 1
            self.open += 1
            self.most = max(self.most, self.open)
            a.number = self.number
        a.verbose, a.debug = enabled(INFO), enabled(DEBUG)
        if a.debug:
            self.log(DEBUG, "Connection %d from %s" % (a.number, a.peer), a)
        if self.on_event:
            self.notify(CONNECTED, a)

    def moved(self, a, state, event, action, following):
        """The state machine went from one state to the next (debug)."""
        self.log(DEBUG, "%s + %s -> %s -> %s" % (state, event, action, following), a)

    def received(self, a, name, length):
        """The header of a PDU arrived (debug)."""
        self.log(DEBUG, "Received %s (PDU-length %d)" % (name, length), a)

    def sending(self, a, name, words):
        """A PDU goes out (debug)."""
        self.log(DEBUG, "Sending %s%s" % (name, ", " + words if words else ""), a)

    def requested(self, a, request):
        """An A-ASSOCIATE-RQ arrived."""
        a.calling, a.called = title_text(request.calling), title_text(request.called)
        if a.verbose:
            self.log(INFO, "Association Received", a)
        if a.debug:
            self.lines(request_lines(request), a)
        if self.on_event:
            self.notify(RECEIVED, a)

    def accepted(self, a, request, ac, ae_title):
        """It was accepted."""
        if a.debug:
            self.lines(acceptance_lines(request, ac, ae_title), a)
        if a.verbose:
            self.log(INFO, "Association Accepted", a)
        if self.on_event:
            self.notify(ACCEPTED, a)

    def rejected(self, a, error):
        """It was rejected."""
        self.ended(REJECTED, "Association Rejected", a, error)

    def message(self, a, direction, context_id, command, data):
        """A DIMSE message came in or goes out (debug)."""
        self.lines(message_lines(direction, context_id, command, data), a)

    def echoed(self, a, message_id):
        """A C-ECHO-RQ is answered."""
        if a.verbose:
            self.log(INFO, "Received Echo Request (MsgID %d)" % message_id, a)
        if self.on_event:
            self.notify(ECHOED, a, message_id)

    def odd(self, a, sentence):
        """Something worth a line that is answered nevertheless."""
        self.log(WARNING, "%s: %s" % (a.peer, sentence), a)

    def released(self, a):
        """It was released."""
        a.outcome = RELEASED
        if a.verbose:
            self.log(INFO, "Association Released", a)
        if self.on_event:
            self.notify(RELEASED, a)

    def aborting(self, a, error):
        """We abort it."""
        self.ended(ABORTING, "Aborting Association", a, error)

    def aborted(self, a, error):
        """The peer aborted it."""
        self.ended(ABORTED, "Association Aborted", a, error)

    def lost(self, a, error):
        """The connection went away."""
        self.ended(LOST, None, a, error)

    def expired(self, a, error):
        """ARTIM ended it."""
        self.ended(EXPIRED, None, a, error)

    def connected_only(self, a, error):
        """The connection ended without a byte: a port check, or a load balancer. Told once an address and minute."""
        address, now = a.peer.rsplit(":", 1)[0], monotonic()
        with self.lock:
            told = self.bare.get(address)
            if told is None or now - told >= BARE_CONNECT_PAUSE:
                if len(self.bare) >= BARE_CONNECT_ADDRESSES:
                    self.bare.clear()
                self.bare[address], told = now, None
        level = WARNING if told is None else DEBUG
        self.ended(BARE, None, a, error, level, "connected and sent nothing, then: %s; a port check or a load balancer "
                   "(told once a minute for each address)" % error.args[0])

    def closing(self, a):
        """The socket is about to be closed: whoever comes after is not there at the same time."""
        with self.lock:
            self.open -= 1

    def closed(self, a):
        """The socket is closed: adds the association to the sums."""
        with self.lock:
            for kind, count in ((a.outcome, 1), (ECHOED, a.echoes)):
                self.sums[kind] = self.sums.get(kind, 0) + count
            self.slowest = max(self.slowest, a.slowest)
        if self.on_event:
            self.notify(CLOSED, a)

    # ---- how it is told

    @staticmethod
    def begin():
        """Get ready, before the first association."""
        import logging
        logging.getLogger(LOGGER)

    def ended(self, kind, words, a, error, level=WARNING, sentence=None):
        """An association goes wrong: the manual's line, then one line that says why."""
        a.outcome = EXPIRED if isinstance(error, Expired) else kind
        sentence = shortened(sentence or str(error))
        if words and a.verbose:
            self.log(INFO, words, a)
        if error.expected:
            level = DEBUG
        self.log(level, "%s: %s" % (a.peer, sentence), a)
        if a.debug and isinstance(error, InvalidPDU) and error.data and not error.foreign:
            self.lines([begin("INVALID PDU")] + hex_lines(error.data) + [end("INVALID PDU")], a)
        if self.on_event:
            self.notify(kind, a, None, error, sentence)

    def notify(self, kind, a, message_id=None, error=None, sentence=""):
        """Tell the embedding program."""
        try:
            self.on_event(Notice(kind, a, message_id, error, sentence))
        except Exception:  # the callback is somebody else's: its faults must not end the association
            self.log(ERROR, "on_event raised an exception", a, exc_info=True)

    def fault(self, words, a=None):
        """A fault of ours, from within its ``except``: one line, and the traceback at debug."""
        with self.lock:
            self.sums[FAULTS] = self.sums.get(FAULTS, 0) + 1
        self.log(ERROR, "%s: %r; please report it" % (words, sys.exc_info()[1]), a, exc_info=enabled(DEBUG))

    def lines(self, lines, a=None):
        """Log each at debug."""
        for line in lines:
            self.log(DEBUG, line, a)

    def log(self, level, text, a=None, exc_info=False):
        """One record of logger ``echoscp``; ``text`` is never used as a format.

        Every record has the attributes ``peer``, ``association``, ``calling`` and ``called``, ``-`` where it concerns
        no peer. At debug the line itself begins with number and peer while several associations are open.
        """
        if not enabled(level):
            return
        import logging
        text = shortened(text)
        extra = {"peer": "-", "association": "-", "calling": "-", "called": "-"}
        if a is not None:
            extra = {"peer": a.peer, "association": a.number, "calling": a.calling or "-", "called": a.called or "-"}
            if a.debug and self.open > 1:
                text = "[%d %s] %s" % (a.number, a.peer, text)
        logging.getLogger(LOGGER).log(level, "%s", text, extra=extra, exc_info=exc_info)

    def summary(self):
        """The sum of it, in one line."""
        sums = self.sums.get
        return ("%d connections, at most %d at once; %d echoes, the slowest %.1f ms; %d released, %d rejected, "
                "%d aborted here, %d aborted by the peer, %d lost, %d timed out, %d without a byte" % (
                    self.number, self.most, sums(ECHOED, 0), self.slowest * 1000, sums(RELEASED, 0), sums(REJECTED, 0),
                    sums(ABORTING, 0), sums(ABORTED, 0), sums(LOST, 0), sums(EXPIRED, 0), sums(BARE, 0)))


# =====================================================================================================================
# dul/association.py: One association, from accept to close: it owns socket, state and ARTIM, and runs the table's actions.
#
# The thread that runs it turns what comes from the peer into events; PS3.8 Table 9-10 (fsm) says which action that is;
# the method of the action's name carries it out. What the service user does (accept, answer an echo, agree to a
# release) is an event of its own, raised from within the action that told the user.
# =====================================================================================================================

SEND_LIMIT = 30         # seconds that a send may take where -ta is 0
BUSY_MASK = 63          # every 64th association and every 64th echo tells the server that there is work
STOPPED = "this server stops"

EVENT_OF_PDU = {A_ASSOCIATE_AC: Evt3, A_ASSOCIATE_RJ: Evt4, A_ASSOCIATE_RQ: Evt6, P_DATA_TF: Evt10,
                A_RELEASE_RQ: Evt12, A_RELEASE_RP: Evt13, A_ABORT: Evt16}
ECHO = (Evt10, Evt9)    # the request in one P-DATA-TF, and its response


class Association(object):
    """The acceptor's side of one association.

    :param sock: the accepted, connected socket; it is closed at the end of run()
    :param address: of the peer, as accept() gives it
    :param settings: Settings
    :param report: Report
    :param host: what it is part of: ``stopping`` (whether to abort and go), ``admit()`` (whether one association more
        may be established; if so, ``leave()`` follows), ``busy()`` (called now and then while echoes are answered)
    """

    __slots__ = ("transport", "reader", "machine", "settings", "report", "host", "address", "_peer", "number",
                 "calling", "called", "request", "contexts", "maximum_length", "assembler", "clock", "admitted",
                 "verbose", "debug", "unwatched", "outcome", "echoes", "slowest", "began", "wish", "evicted", "common")

    def __init__(self, sock, address, settings, report, host):
        self.transport = Transport(sock, settings.acse_timeout or SEND_LIMIT)
        self.reader = PDUReader(self.transport.receive, self.transport.hurry)
        self.machine = Machine()
        self.settings = settings
        self.report = report
        self.host = host
        self.address = address
        self._peer = None
        self.number = 0
        self.calling = self.called = ""
        self.request = None             # AAssociateRQ, for the dump of its answer
        self.contexts = {}              # {accepted presentation context ID: transfer syntax}
        self.maximum_length = 0         # the peer's
        self.common = None              # CommonEcho, while it may be used
        self.assembler = Assembler()
        self.clock = ("", 0)            # the option and the seconds of the deadline that runs
        self.admitted = self.verbose = self.debug = False
        self.unwatched = False          # nobody is told of an echo
        self.evicted = False            # the server needed its place
        self.outcome = LOST
        self.echoes = 0
        self.slowest = 0.0              # seconds, measured at debug alone
        self.began = 0.0                # when the message at hand had arrived, likewise
        self.wish = None                # Evt11 or Evt15, where on_event asked for it

    @property
    def peer(self):
        """``address:port`` of the peer; of an IPv4 peer in IPv4's form, of an IPv6 peer with brackets."""
        if self._peer is None:
            host = self.address[0] if self.address else "?"
            if host.startswith("::ffff:") and "." in host:
                host = host[7:]
            self._peer = "%s:%d" % ("[%s]" % host if ":" in host else host, self.address[1] if self.address else 0)
        return self._peer

    # ---- the loop

    def run(self):
        """Serve the association until its socket is closed. Nothing that the peer does raises anything."""
        try:
            self.report.connected(self)
            if not self.number & BUSY_MASK:
                self.host.busy()
            event, what = Evt5, None
            while True:
                try:
                    self.happen(event, what)
                    if self.wish is not None:
                        self.grant()
                    if self.machine.over:
                        return
                    if self.host.stopping and self.machine.allows(Evt15):
                        event, what = Evt15, Stopped(STOPPED)
                    else:
                        event, what = self.next_event()
                except ConnectionLost as error:
                    event, what = self.connection_lost(error)
                except Expired:
                    event, what = self.expiry()
        except Undefined:
            self.report.fault("internal error, the connection is closed", self)
        finally:
            self.report.closing(self)
            self.transport.close()
            if self.admitted:
                self.host.leave()
            self.report.closed(self)

    def happen(self, event, what=None):
        """An event: the table's action, its next state, its effect.

        :param what: what came with the event: a PDU, or the error that it is about
        :raises Undefined: where the table has no cell for it
        """
        machine = self.machine
        state, branch = machine.state, 0
        action = machine.action(event)
        if action.next_state is None:
            branch, what = self.branch(action, what)
        artim = machine.enter(action, branch)
        if self.debug:
            self.report.moved(self, state, event, action, machine.state)
        if artim is not None:
            self.start_clock("-ta", self.settings.acse_timeout if artim is START else 0)
        getattr(self, action.effect)(what)

    def branch(self, action, what):
        """Which of its two next states AE-6 or AR-8 leads to, and what its effect is given."""
        if action.needs is not CONTENT:
            return 1, what              # AR-8: an acceptor goes to Sta10
        try:
            check_protocol_version(what)
            if not self.host.admit():
                raise Rejected(REJECT_LOCAL_LIMIT, "too many associations at once")
            self.admitted = True
            return 0, what
        except Rejected as error:
            self.report.requested(self, what)
            return 1, error

    def next_event(self):
        """Wait for the next PDU, and return (event, what came with it)."""
        reader, machine = self.reader, self.machine
        if self.common is not None and machine.stays(ECHO) and reader.between and not self.assembler.begun:
            receive, answer_to = reader.receive, self.common.answer
            data = receive(FIRST_READ)
            answer = answer_to(data)
            while answer is not None:
                if not self.unwatched or self.host.stopping:
                    return Evt10, answer
                self.dt_1((answer,))    # all that is to do between two events that leave the state as it is
                data = receive(FIRST_READ)
                answer = answer_to(data)
            reader.feed(data)
        pdu_type, length = reader.header()
        try:
            check_header(pdu_type, length, self.settings.maximum_length)
            if self.debug:
                self.report.received(self, PDU_NAMES[pdu_type], length)
            event = EVENT_OF_PDU[pdu_type]
            action = machine.action(event)
            if action.needs is HEADER:
                return event, UnexpectedPDU(PDU_NAMES[pdu_type], machine.state)
            if action.needs is not CONTENT:
                reader.skip()
                return event, None
            if length > LARGEST_RQ:     # a P-DATA-TF where we announced no limit
                return Evt15, MessageError("P-DATA-TF: PDU-length is %d, more than any C-ECHO-RQ needs" % length)
            data = reader.pdu()
            if self.debug:
                self.began = monotonic()
            try:
                return event, decode_pdu(data)
            except InvalidPDU as error:
                error.data = data
                raise
        except InvalidPDU as error:
            if not error.data:      # it is the header
                error.data = reader.buffer
                reader.lost = pdu_type in PDU_NAMES     # whose length lies, so that nobody knows where the next PDU is
            return Evt19, error

    def connection_lost(self, error):
        """The event that the end of the stream is: ours, where the server stops."""
        if self.host.stopping and self.machine.allows(Evt15):
            return Evt15, Stopped(STOPPED)
        error.state, error.progress = self.machine.state, self.reader.progress()
        error.expected = self.host.stopping or not self.machine.allows(Evt15) and self.outcome != LOST
        return Evt17, error

    def expiry(self):
        """The event that a passed deadline is: ARTIM's where it runs, else a service user who has waited enough."""
        option, seconds = self.clock
        error = Expired(option, seconds, self.machine.state, self.reader.progress())
        if not self.machine.allows(Evt18):
            return Evt15, error
        error.expected = self.outcome != LOST
        return Evt18, error

    def start_clock(self, option, seconds):
        """From now on, receiving ends after so many seconds (0: never), and ``option`` is why."""
        self.clock = (option, seconds)
        self.transport.set_deadline(monotonic() + seconds if seconds else None)

    # ---- what the service user does

    def release(self):
        """Ask the peer to release the association (A-RELEASE request, PS3.8 7.2).

        To be called from within ``on_event``; it takes effect when what is happening is done, if there is an
        established association then.
        """
        self.wish = Evt11

    def abort(self):
        """Abort the association (A-ABORT request, PS3.8 7.3); as release()."""
        self.wish = Evt15

    def grant(self):
        """Do what ``on_event`` asked for."""
        event, self.wish = self.wish, None
        if self.machine.allows(event):
            self.happen(event, Stopped("aborted by the program"))

    def answer(self, request):
        """Decide on an A-ASSOCIATE-RQ (A-ASSOCIATE response)."""
        try:
            acceptance = negotiate(request, self.settings)
        except Rejected as error:
            return self.happen(Evt8, error)
        self.happen(Evt7, acceptance)
        if not self.contexts and self.machine.allows(Evt15):
            self.happen(Evt15, MessageError(no_context_sentence(request, acceptance.ac)))

    def take(self, pdu):
        """Answer the C-ECHO-RQs that a P-DATA-TF completes (P-DATA indication).

        :param pdu: PDataTF, or the answer of CommonEcho, as bytes
        """
        if type(pdu) is bytes:
            if self.verbose or self.report.on_event:
                self.report.echoed(self, US.unpack(pdu[68:70])[0])
            return self.happen(Evt9, (pdu,))
        try:
            for pdv in pdu.pdvs:
                data = self.assembler.add(pdv, self.contexts)
                if data is not None:
                    self.take_command(pdv.context_id, data)
        except MessageError as error:
            self.happen(Evt15, error)

    def take_command(self, context_id, data):
        """Answer one command set.

        :raises MessageError: where it is not a C-ECHO-RQ
        """
        command = CommandSet.decode(data)
        if self.debug:
            self.report.message(self, "INCOMING", context_id, command, data)
        request = EchoRequest.of(command)
        response = request.response()
        pdus = to_pdus(context_id, response, self.maximum_length)
        self.report.echoed(self, request.message_id)
        if request.status:
            self.report.odd(self, "C-ECHO-RQ: Affected SOP Class UID is %s, due: Verification SOP Class; answered with "
                                  "status %04XH (PS3.7 9.1.5)" % (escaped(request.sop_class), request.status))
        if self.debug:
            self.report.message(self, "OUTGOING", context_id, CommandSet.decode(response), response)
        self.happen(Evt9, pdus)

    # ---- the actions (PS3.8 Tables 9-6 to 9-9) that an acceptor can come to, in the standard's order

    def ae_5(self, _):
        """Sta2: the clock is ARTIM, or -to where that ends first."""
        artim, limit = self.settings.acse_timeout, self.settings.timeout
        if limit and not 0 < artim <= limit:
            self.start_clock("-to", limit)

    def ae_6(self, what):
        """An A-ASSOCIATE-RQ: tell the user, or reject it."""
        if isinstance(what, Rejected):
            return self.reject(what)
        self.request = what
        self.report.requested(self, what)
        self.answer(what)

    def ae_7(self, acceptance):
        """Send A-ASSOCIATE-AC."""
        self.contexts = acceptance.contexts
        self.maximum_length = acceptance.maximum_length
        if self.contexts and not self.debug and not 0 < self.maximum_length < CommonEcho.LENGTH:
            self.common = CommonEcho(min(self.contexts))
            self.unwatched = not self.verbose and not self.report.on_event
        self.report.accepted(self, self.request, acceptance.ac, self.settings.ae_title)
        self.request = None
        self.start_clock("-td", self.settings.dimse_timeout)
        self.send(acceptance.ac)

    def ae_8(self, error):
        """Send A-ASSOCIATE-RJ."""
        self.reject(error)

    def dt_1(self, pdus):
        """Send P-DATA-TF; the pause until the next message begins."""
        for pdu in pdus:
            self.transport.send(pdu)
        self.echoes += 1
        if not self.echoes & BUSY_MASK:
            self.host.busy()
        if self.settings.dimse_timeout:
            self.start_clock("-td", self.settings.dimse_timeout)
        if self.debug:
            self.slowest = max(self.slowest, monotonic() - self.began)

    def dt_2(self, pdu):
        """P-DATA-TF received."""
        self.take(pdu)

    def ar_1(self, _):
        """Send A-RELEASE-RQ."""
        self.common = None
        self.start_clock("-ta", self.settings.acse_timeout)
        self.send(AReleaseRQ())

    def ar_2(self, _):
        """The peer asks for the release: the user agrees at once, as it must (PS3.8 7.2)."""
        self.happen(Evt14)

    def ar_3(self, _):
        """The release of ours is confirmed."""
        self.report.released(self)

    def ar_4(self, _):
        """Send A-RELEASE-RP."""
        self.report.released(self)
        self.send(AReleaseRP())

    def ar_5(self, error):
        """The connection is closed after all was said."""
        if not error.expected:
            self.report.lost(self, error)

    def ar_6(self, pdu):
        """P-DATA-TF received while a release of ours is under way: no answer can be sent any more (Evt9 in Sta7)."""

    ar_7 = dt_1

    def ar_8(self, _):
        """Release collision: an acceptor waits for the A-RELEASE-RP first."""

    def ar_10(self, _):
        """It is there: now the peer's own release is answered."""
        self.happen(Evt14)

    def aa_1(self, error):
        """Send A-ABORT as the service user."""
        if isinstance(error, InvalidPDU):
            error.foreign = protocol_of(error.data)
        self.report.aborting(self, error)
        self.send(AAbort(*ABORT_BY_USER), abort_words(*ABORT_BY_USER))

    def aa_2(self, what):
        """Close: ARTIM expired, or the peer aborts what has not begun or is over."""
        if isinstance(what, AAbort):
            if self.outcome == LOST:
                self.report.aborted(self, Aborted(what.source, what.reason))
        elif not what.expected:
            self.report.expired(self, what)

    def aa_3(self, pdu):
        """The peer aborts."""
        self.report.aborted(self, Aborted(pdu.source, pdu.reason))

    def aa_4(self, error):
        """The connection is lost."""
        self.report.lost(self, error)

    def aa_5(self, error):
        """The connection is lost before the A-ASSOCIATE-RQ was there."""
        if error.progress:
            self.report.lost(self, error)
        else:
            self.report.connected_only(self, error)

    def aa_6(self, _):
        """Ignore what comes after the end."""

    def aa_7(self, error):
        """Send A-ABORT once more; but a stream of what is no PDU at all is not answered a third time."""
        self.reader.lost = self.reader.lost or isinstance(error, InvalidPDU)
        self.send(AAbort(*error.abort), abort_words(*error.abort))

    def aa_8(self, error):
        """Send A-ABORT as the service provider."""
        self.report.aborting(self, error)
        self.send(AAbort(*error.abort), abort_words(*error.abort))

    def reject(self, error):
        """Send A-ASSOCIATE-RJ."""
        self.report.rejected(self, error)
        self.send(AAssociateRJ(*error.reject), reject_words(error.reject))

    def send(self, pdu, words=""):
        """Send a PDU; ``words`` say at debug what its codes mean."""
        if self.debug:
            self.report.sending(self, pdu.name(), words)
        self.transport.send(pdu.encode())


# =====================================================================================================================
# dul/steward.py: Sets up interpreter and processors for many threads that take turns, in a process that does nothing else.
#
# Python runs one thread at a time. Each thread that waits for its turn asks for it once an interval, which thousands
# of them do until there is time for nothing else; so the interval grows with their number.
#
# When the threads that take turns sit on different processors, each turn is handed over between processors, which costs
# more than an echo: on one processor, sixteen clients get three times as many answers. That must do no harm, so it is done
# only while there is much to do and only where the other programs have room on the other processors; it ends as soon as
# one of them wants this processor, and with the load. Linux alone has all that this needs.
#
# There is no steward in a program that embeds EchoServer.
# =====================================================================================================================

SHARE = 0.0002          # seconds between two threads that ask for their turn
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.005, 0.25       # seconds; the shorter one is the interpreter's own
FIRST_LOOK = 0.05       # seconds from the first sign of work until the first decision
LOOK = 0.25             # seconds between decisions while there is work
QUIET_LOOKS = 4         # looks without work after which it sleeps again
BUSY = 0.3              # of a processor: what this process uses when it is worth binding
QUIET = 0.03            # of a processor: what it uses when there is no work
INTRUSION = 0.2         # of our processor: what other programs may use of it
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 64.0  # seconds until binding is tried again after it had to be given up


def find_steward():
    """A Steward with the processors of this process, where there is a choice and this system has what it needs."""
    processors = set()
    if ONE_THREAD_AT_A_TIME:
        try:
            processors = os.sched_getaffinity(0)
            with open("/proc/stat") as stat:
                stat.readline()
            os.listdir("/proc/self/task")
        except (AttributeError, EnvironmentError):
            processors = set()
    return Steward(processors if len(processors) > 1 else set())


class Steward(object):
    """Decides on which processors the threads of this process may run, and how long one may keep the others waiting.

    :param processors: the set of processor numbers to choose from; empty: that is left to the system
    """

    def __init__(self, processors):
        self.processors = processors
        self.called = False     # somebody says that there is work; see EchoServer.busy()
        self.awake = False      # it looks at the load
        self.bound = None       # the processor that the threads are bound to
        self.pause = FIRST_PAUSE
        self.not_before = 0.0   # when binding may be tried again
        self.quiet = 0
        self.next_look = 0.0
        self.last = None        # (moment, seconds that this process used, {processor: seconds that it was busy})

    def crowd(self, threads):
        """There are so many handler threads now."""
        set_switch_interval(min(max(SHORTEST_INTERVAL, SHARE * threads), LONGEST_INTERVAL))

    def tick(self):
        """Look at the load, when it is time to, and act on it.

        To be called by the thread that starts all others, whenever it wakes.

        :returns: seconds until it wants to be called again; None: when there is work again
        """
        now = monotonic()
        if not self.called or not self.processors:
            return None
        if not self.awake:
            self.awake, self.last, self.next_look = True, None, now
        if now >= self.next_look:
            self.next_look = now + (LOOK if self.last else FIRST_LOOK)
            try:
                self.look(now)
            except (EnvironmentError, LookupError):     # out of descriptors, or the processor is gone: it does without
                self.last = None
        return max(0.001, self.next_look - now) if self.awake else None

    def look(self, now):
        """Decide."""
        before, self.last = self.last, measure(self.processors)
        elapsed = self.last[0] - before[0] if before else 0
        if elapsed <= 0:
            return
        ours = (self.last[1] - before[1]) / elapsed
        busy = {cpu: (self.last[2][cpu] - before[2][cpu]) / elapsed for cpu in self.processors}
        self.quiet = self.quiet + 1 if ours < QUIET else 0
        if self.quiet >= QUIET_LOOKS:
            self.bind(None)
            self.awake = self.called = False
        elif self.bound is not None:
            self.stay_or_go(now, ours, busy)
        elif ours > BUSY and now >= self.not_before and sum(busy.values()) - ours < len(busy) - 1:
            self.bind(min(busy, key=busy.get))

    def stay_or_go(self, now, ours, busy):
        """Bound: move, or give it up, where other programs use this processor too."""
        if busy[self.bound] - ours <= INTRUSION:
            self.pause = max(FIRST_PAUSE, self.pause / 2)
            return
        others = {cpu: share for cpu, share in busy.items() if cpu != self.bound}
        calmest = min(others, key=others.get)
        if others[calmest] <= INTRUSION:
            self.bind(calmest)
            return
        self.bind(None)
        self.not_before, self.pause = now + self.pause, min(LONGEST_PAUSE, self.pause * 2)

    def bind(self, processor):
        """Let the threads of this process run on one processor only, or on all again (None)."""
        if processor == self.bound:
            return
        mask = self.processors if processor is None else {processor}
        for task in os.listdir("/proc/self/task"):
            try:
                os.sched_setaffinity(int(task), mask)
            except EnvironmentError:    # the thread has ended
                pass
        self.bound = processor


def measure(processors):
    """(moment, seconds of processor time that this process has used, {processor: seconds that it has been busy})."""
    ticks = float(os.sysconf("SC_CLK_TCK"))
    busy = {}
    with open("/proc/stat") as stat:
        for line in stat:
            words = line.split()
            if words[0][:3] == "cpu" and words[0][3:].isdigit() and int(words[0][3:]) in processors:
                # user, nice, system, idle, iowait, irq, softirq, steal (proc(5)): all but idle and iowait
                busy[int(words[0][3:])] = sum([int(word) for word in words[1:4] + words[6:9]]) / ticks
    used = os.times()
    return monotonic(), used[0] + used[1], busy


# =====================================================================================================================
# dul/server.py: The ``ThreadingTCPServer``: listen, accept, limits, shutdown; EchoServer for embedding.
#
# Handler threads that have finished an association go on to accept the next connection, all of them on one listening
# socket: the kernel wakes one at a time. No connection ever waits for a thread to become free, because whoever takes
# the last idle thread away rings for a new one. The bell wakes the thread in serve_forever(), which starts threads,
# watches over the processor, and stops the server; while there is nothing to do it sleeps.
# =====================================================================================================================

LARGEST_PORT = 65535
MOST_ASSOCIATIONS = 4096
BACKLOG = 8192              # connections that the kernel may hold for us; it caps this by a limit of its own
SPARE_THREADS = 2           # idle handler threads that there should be at least
IDLE_THREADS = 128          # idle handler threads that there may be at most
STACK_SIZE = 512 * 1024     # bytes; only what is used of it takes memory
PRESSURE_PAUSE = 1.0        # seconds until what the system had no room for is tried again
PRESSURE_TOLD = 60.0        # seconds until that is told again
STOP_LIMIT = 1.5            # seconds that open associations have for their A-ABORT
SLOWER = "accepting connections slows down until there is room again"

UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


def open_listener(host, port):
    """A listening socket: on IPv6 and IPv4 where ``host`` is empty and the system has both, else on what it has.

    :raises socket.error: where the address cannot be had
    """
    if not host and socket.has_ipv6 and hasattr(socket, "IPV6_V6ONLY") and hasattr(socket, "IPPROTO_IPV6"):
        try:
            return _listen(socket.AF_INET6, ("::", port), True)
        except socket.error as error:
            if error.errno not in UNSUPPORTED:
                raise
    family, _, _, _, address = socket.getaddrinfo(
        host or "0.0.0.0", port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0]
    return _listen(family, address, False)


def _listen(family, address, dual):
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if dual:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):      # Windows, where SO_REUSEADDR lets two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        return listener
    except Exception:
        listener.close()
        raise


class AssociationHandler(socketserver.BaseRequestHandler):
    """What a handler thread does with one connection."""

    def handle(self):
        """Serve the association until its socket is closed."""
        server = self.server
        association = Association(self.request, self.client_address, server.settings, server.report, server)
        server.enter(association)
        try:
            association.run()
        finally:
            server.depart(association)


class EchoServer(socketserver.ThreadingTCPServer, object):
    """A Verification SCP, to run alone or within another program::

        with EchoServer(port=0) as server:
            verify(*server.address)

    :param port: TCP port; 0: one that is free
    :param host: address to listen on; empty: every address, of IPv6 and of IPv4
    :param max_associations: established at once; a further one is rejected (2, 3, 2)
    :param on_event: called with a Notice for each thing that happens, in the thread of the association that it
        happens in; it must be quick
    :param listener: a socket that listens already, in place of ``host`` and ``port``
    :param report: a Report, in place of ``on_event``
    :param steward: a Steward, which sets up this process for many threads; None: it is left as it is
    :param settings: what Settings takes: ``ae_title``, ``timeout``, ``acse_timeout``, ``dimse_timeout``,
        ``maximum_length``, ``transfer_syntaxes``
    :raises socket.error: where the address cannot be had
    :raises ValueError: for a setting out of its range
    """

    daemon_threads = True

    def __init__(self, port=0, host="", max_associations=MOST_ASSOCIATIONS, on_event=None, listener=None, report=None,
                 steward=None, **settings):
        self.settings = Settings(**settings)
        if not 0 <= port <= LARGEST_PORT:
            raise ValueError("port %d is not allowed: 0 (one that is free) to %d" % (port, LARGEST_PORT))
        self.report = report or Report(on_event)
        self.max_associations = max_associations
        self.steward = steward
        self.lock = threading.Lock()
        self.departed = threading.Condition(self.lock)  # an association is over, or a thread has ended
        self.associations = set()   # those that run
        self.established = 0        # those that count towards max_associations
        self.idle = 0               # handler threads that accept, or are being started to
        self.threads = 0
        self.serving = self.stopping = False
        self.rung = False
        self.pressure_told = None
        self.short_of_threads = False
        self.finished = threading.Event()
        self.thread = None
        self.bell, self.ringer = socket_pair()
        self.ringer.setblocking(False)
        try:
            self.socket = listener or open_listener(host, port)
        except Exception:
            self.bell.close()
            self.ringer.close()
            raise
        self.socket.setblocking(True)   # whatever the listener, or socket.setdefaulttimeout(), says
        socketserver.BaseServer.__init__(self, self.socket.getsockname(), AssociationHandler)

    # ---- for the program that it is part of

    @property
    def address(self):
        """(host, port) that a peer on this host can connect to."""
        host, port = self.server_address[:2]
        return {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host), port

    def start(self):
        """Serve, in threads of its own, once. Returns the server.

        :raises RuntimeError: where it has been started or stopped before
        """
        if self.thread is not None or self.stopping:
            raise RuntimeError("an EchoServer can be started once")
        self.thread = threading.Thread(target=self.serve_forever, name="echoscp")
        self.thread.daemon = True
        self.thread.start()
        return self

    def stop(self):
        """Stop listening, abort what is open, and close; returns within two seconds. May be called twice."""
        self.shutdown()
        self.server_close()

    def __enter__(self):
        return self if self.thread else self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- socketserver's own interface

    def serve_forever(self, poll_interval=None):
        """Serve until shutdown() or request_stop() is called, by another thread or a signal handler.

        :param poll_interval: seconds after which to look whether it was, on systems where nothing wakes a thread that
            waits; None elsewhere
        """
        self.serving = True
        try:
            self.report.begin()
            while not self.stopping:
                self.start_threads()
                pause = PRESSURE_PAUSE if self.short_of_threads else poll_interval
                if self.steward is not None:
                    self.steward.crowd(self.threads)
                    pause = self.steward.tick() or pause
                self.sleep(pause)
        finally:
            self.stopping = True
            self.stop_threads()
            self.finished.set()

    def shutdown(self):
        """Make serve_forever() end, and wait until it has."""
        self.request_stop()
        if self.thread is not None:
            self.thread.join()
        elif self.serving:
            self.finished.wait()

    def request_stop(self):
        """Make serve_forever() end; does not wait, takes no lock, and may be called by a signal handler."""
        self.stopping = True
        self.ring()

    def server_close(self):
        """Close the listening socket and what else the server holds."""
        for sock in (self.socket, self.bell, self.ringer):
            sock.close()

    def shutdown_request(self, request):
        """Nothing: the association has closed its socket."""

    def handle_error(self, request, client_address):
        """A fault of ours in a handler thread: one line, and the traceback at debug."""
        try:
            self.report.fault("internal error in the association with %s" % (client_address[0],))
        except Exception:  # out of memory for that, too: the thread goes on
            pass
        finally:
            request.close()

    # ---- handler threads

    def work(self):
        """What a handler thread does: association after association."""
        idle = True
        try:
            while True:
                connection = self.accept()
                if connection is None:
                    return
                with self.lock:
                    self.idle -= 1
                    idle = False
                    scarce = self.idle < 1
                if scarce:
                    self.ring()
                self.process_request_thread(*connection)
                with self.lock:
                    if self.idle >= IDLE_THREADS:
                        return
                    self.idle += 1
                    idle = True
        finally:
            with self.lock:
                self.idle -= idle
                self.threads -= 1
                if self.stopping:
                    self.departed.notify_all()

    def accept(self):
        """The next (socket, address); None when the server stops."""
        while not self.stopping:
            try:
                return self.get_request()
            except (socket.error, ValueError, MemoryError) as error:    # ValueError: closed meanwhile, on Python 2.7
                code = getattr(error, "errno", None)
                if self.stopping:
                    break
                if code in INTERRUPTED or code == errno.ECONNABORTED:
                    continue
                if code in OUT_OF_RESOURCES or isinstance(error, MemoryError):
                    self.tell_pressure("out of file descriptors or memory (%s): %s" % (
                        getattr(error, "strerror", "MemoryError"), SLOWER))
                else:
                    self.tell_pressure("cannot accept connections (%s): %s" % (error, SLOWER))
                with self.lock:     # until an association has gone
                    self.departed.wait(PRESSURE_PAUSE)
        return None

    def start_threads(self):
        """Start handler threads until enough are idle."""
        full = False
        while not self.stopping:
            with self.lock:
                full = self.threads >= self.max_associations + IDLE_THREADS
                if full or self.idle >= SPARE_THREADS:
                    self.short_of_threads = False
                    break
                self.idle += 1
                self.threads += 1
            before = set_stack_size(STACK_SIZE)
            try:
                thread = threading.Thread(target=self.work)
                thread.daemon = True
                thread.start()
            except (RuntimeError, MemoryError, threading.ThreadError):
                with self.lock:
                    self.idle -= 1
                    self.threads -= 1
                self.short_of_threads = True
                self.tell_pressure("out of threads or memory: " + SLOWER)
                return
            finally:
                set_stack_size(before)
        if full and not self.idle:
            self.make_room()

    def make_room(self):
        """End the connection that has been silent for longest, so that silent peers cannot keep the others out."""
        with self.lock:
            silent = [each for each in self.associations if not each.admitted and not each.evicted]
        if silent:
            oldest = min(silent, key=lambda each: each.number)
            oldest.evicted = True
            oldest.transport.interrupt()
            self.tell_pressure("too many connections without an association: the oldest are closed")

    def tell_pressure(self, sentence):
        """Log that the system has no room for more: once a minute, not once a connection."""
        now = monotonic()
        with self.lock:
            if self.pressure_told is not None and now - self.pressure_told < PRESSURE_TOLD:
                return
            self.pressure_told = now
        self.report.log(WARNING, sentence)

    def stop_threads(self):
        """Stop accepting, abort what is open, and wait for it, within STOP_LIMIT."""
        deadline = monotonic() + STOP_LIMIT
        with self.lock:
            idle = self.idle
        if closing_wakes_accept(self.socket):
            idle = 0
        for _ in range(idle):       # elsewhere, a connection is what wakes a thread in accept()
            try:
                socket.create_connection(self.address, 0.1).close()
            except socket.error:
                break
        with self.lock:
            associations = list(self.associations)
        for association in associations:
            association.transport.interrupt()
        with self.lock:
            while self.threads and monotonic() < deadline:
                self.departed.wait(max(0.0, deadline - monotonic()))

    # ---- for the associations

    def enter(self, association):
        """An association begins."""
        with self.lock:
            self.associations.add(association)
        if self.stopping:
            association.transport.interrupt()

    def depart(self, association):
        """It is over, and its socket is closed."""
        with self.lock:
            self.associations.discard(association)
            if self.pressure_told is not None:
                self.departed.notify()

    def admit(self):
        """Whether one association more may be established; if so it counts until leave()."""
        with self.lock:
            if self.established >= self.max_associations:
                return False
            self.established += 1
            return True

    def leave(self):
        """An established association is over."""
        with self.lock:
            self.established -= 1

    def busy(self):
        """Called at every so many-th association and echo, so that the steward knows that there is work."""
        if self.steward is not None and not self.steward.called:
            self.steward.called = True
            self.ring()

    # ---- the bell

    def ring(self):
        """Wake serve_forever()."""
        if not self.rung:
            self.rung = True
            try:
                self.ringer.send(b"!")
            except (socket.error, ValueError):      # it has rung already, or the server is closed
                pass

    def sleep(self, seconds):
        """Until somebody rings, or so many seconds; None: until somebody rings."""
        try:
            self.bell.settimeout(seconds)
            self.bell.recv(64)
        except socket.timeout:
            pass
        except socket.error as error:
            if error.errno not in INTERRUPTED:
                raise
        self.rung = False


# =====================================================================================================================
# dul/systemd.py: systemd's protocol: a listening socket handed over (sd_listen_fds(3)) and readiness (sd_notify(3)).
#
# Nothing happens where its environment variables are absent.
# =====================================================================================================================

FIRST_FD = 3
SO_DOMAIN = 39      # Linux's number, which few Pythons have: the address family of a socket
NOT_LISTENING = "the socket handed over (LISTEN_FDS) does not listen on TCP"


def handed_over(environ):
    """The listening socket that the service manager hands over, or None.

    :param environ: the process environment; what this reads is taken out of it
    :raises ValueError: where what is handed over is not one listening TCP socket
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count:
        return None
    if count != "1":
        raise ValueError("LISTEN_FDS is %s, due: 1 listening socket" % count)
    try:
        sock = socket.fromfd(FIRST_FD, socket.AF_INET, socket.SOCK_STREAM)
        family = sock.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
        if family == socket.AF_INET6:
            sock.close()
            sock = socket.fromfd(FIRST_FD, family, socket.SOCK_STREAM)
        elif family != socket.AF_INET:
            raise ValueError(NOT_LISTENING)
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(NOT_LISTENING)
        os.close(FIRST_FD)
        sock.setblocking(True)
        return sock
    except (OSError, socket.error):
        raise ValueError(NOT_LISTENING)


def notify(environ, state):
    """Tell the service manager ``READY=1`` or ``STOPPING=1``, if it wants to know."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.settimeout(1)
        sock.sendto(state.encode("ascii"), "\0" + address[1:] if address[0] == "@" else address)
    except (OSError, socket.error):     # its listener is gone: the service goes on
        pass
    finally:
        sock.close()


# =====================================================================================================================
# dul/script.py: The one file gives back the memory that compiling it took: the script ends, its server goes on in a thread.
#
# CPython keeps the syntax tree of a script, of this one a quarter of all its memory, until the script has ended; the
# interpreter then waits for each thread that is no daemon. glibc keeps what was freed until it is told to trim.
# =====================================================================================================================

def outlive_script(serve, stop):
    """Where it saves memory, have ``serve`` go on in a thread when the script has ended.

    :param serve: a function that ends the process
    :param stop: called with the number of each signal that comes, in another thread
    :returns: whether it does
    """
    if not (KEEPS_SYNTAX_TREE and on_glibc()):
        return False
    # The interpreter runs signal handlers in the main thread alone, which is about to wait for good. So no thread gets
    # these signals (each inherits the mask of the one that starts it), and one waits for them.
    numbers = ending_signals()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    watcher = threading.Thread(target=_watch, args=(numbers, stop), name="signals")
    watcher.daemon = True
    try:
        watcher.start()
        threading.Thread(target=_serve_on, args=(serve,), name="echoscp").start()
        return True
    except RuntimeError:    # no thread to be had now: the server waits for some, in this one
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return False


def _serve_on(serve):
    try:
        serve()
    except Exception:   # the interpreter would exit as if all were well
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _watch(numbers, stop):
    threading.main_thread().join()      # until the script has ended
    try:
        import ctypes
        ctypes.CDLL(None).malloc_trim(0)
    except Exception:   # no ctypes, or it is forbidden here: the memory stays ours
        pass
    while True:
        stop(signal.sigwait(numbers))


# =====================================================================================================================
# dul/options.py: The command line: one table of options, which is also the help, and one loop that reads by it.
#
# Neither getopt nor argparse can express these options exactly: both cluster or abbreviate them, and ``-x=`` is a name.
# =====================================================================================================================

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
    spellings, with_value = {}, set()
    for words in [line.split() for line in lines.splitlines() if line[:12].strip()[:1] == "-"]:
        names = [word for word in words[:2] if word.startswith("-")]
        spellings.update({name: names[-1] for name in names})
        if words[len(names)].startswith("["):
            with_value.add(names[-1])
    return spellings, with_value


def parse(arguments):
    """What a command line asks for: {long form: value} (True where the option takes none), and ``port``.

    :param arguments: list of native strings, without the program's name
    :raises UsageError: with the one line that the user gets
    """
    spellings, with_value = read_options(OPTION_LINES)
    chosen, ports, rest = {}, [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument, "", None
        if argument not in spellings and argument.startswith("--"):
            name, equals, value = argument.partition("=")
        if name in spellings:
            option = spellings[name]
            if option not in with_value:
                if equals:
                    raise UsageError("option %s takes no value, it was given %s" % (name, quoted(value)))
                value = True
            elif not equals:
                if not rest or rest[0] in spellings or (
                        rest[0].startswith("--") and rest[0].partition("=")[0] in spellings):
                    raise UsageError("option %s needs a value: %s" % (name, due(option)))
                value = rest.pop(0)
            chosen[option] = value if value is True else checked(option, name, value)
            contradict(chosen, option, name)
            if option in ("--help", "--version"):
                return chosen
        elif argument.startswith("-") and argument != "-":
            raise UsageError("unknown option %s%s" % (quoted(argument), hint(argument, spellings, with_value)))
        else:
            ports.append(argument)
    if len(ports) != 1:
        raise UsageError("one port is needed (1 to %d), %s" % (
            LARGEST_PORT, "%d were given: %s" % (len(ports), " ".join([quoted(port) for port in ports]))
            if ports else "none was given; --help shows the options"))
    chosen["port"] = number(ports[0])
    if chosen["port"] is None or not 1 <= chosen["port"] <= LARGEST_PORT:
        raise UsageError("port %s is not allowed: 1 to %d" % (quoted(ports[0]), LARGEST_PORT))
    return chosen


def checked(option, name, text):
    """The value of an option.

    :raises UsageError: where it is out of its range
    """
    value = text if option in ("--log-level", "--log-config", "--aetitle") else number(text)
    try:
        if value is None or text == "":
            raise ValueError(due(option))
        if option == "--aetitle":
            return check_title(value)
        if option == "--max-pdu":
            return check_maximum_length(value)
        if option.endswith("timeout"):
            return check_seconds(value)
        if option == "--log-level" and value not in LEVELS:
            raise ValueError(due(option))
        return value
    except ValueError as error:
        raise UsageError("option %s: %s is not allowed: %s" % (name, quoted(text), error))


def due(option):
    """What would be right, found by asking the check for a value that never is."""
    if option == "--log-level":
        return "one of " + ", ".join(LEVELS)
    if option == "--log-config":
        return "the name of a logging configuration file"
    try:
        if option == "--aetitle":
            check_title("")
        elif option == "--max-pdu":
            check_maximum_length(-1)
        else:
            check_seconds(-1)
    except ValueError as error:
        return str(error)


def number(text):
    """The number that plain decimal digits are; None for anything else, however close."""
    if not text or text.strip("0123456789"):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits[:LONGEST_NUMBER + 1])


def contradict(chosen, option, name):
    """:raises UsageError: where another member of the option's group was chosen, too."""
    for group in (LEVEL_OPTIONS, SYNTAX_OPTIONS):
        if option in group:
            for other in group:
                if other in chosen and other != option:
                    raise UsageError("options %s and %s contradict each other: one of %s is allowed" % (
                        other, name, ", ".join(each for each in sorted(group))))


def hint(argument, spellings, with_value):
    """The nearest spelling, as a question, or nothing."""
    name, equals, value = argument.partition("=")
    if equals and spellings.get(name) in with_value:
        return "; did you mean '%s %s'?" % (name, escaped(value))
    for candidate in (argument.lower(), "-" + argument, argument[1:], name):
        if candidate in spellings:
            return "; did you mean %s?" % candidate
    import difflib
    near = difflib.get_close_matches(argument, sorted(spellings), 1, 0.6)
    return "; did you mean %s?" % near[0] if near else "; --help shows the options"


def quoted(text):
    """What the user typed, on one line whatever it holds."""
    return "'%s'" % escaped(text)


def help_text():
    """The help: the table itself."""
    return "usage: %s\n\nA DICOM Verification (C-ECHO) SCP: answers C-ECHO requests on a TCP port.\n%s" % (
        USAGE, OPTION_LINES)


def transfer_syntaxes(chosen):
    """The acceptor's order of transfer syntaxes."""
    for option, order in SYNTAX_OPTIONS.items():
        if option in chosen:
            return order
    return PREFER_LOCAL


# =====================================================================================================================
# dul/cli.py: ``echoscp [options] port``: logging set-up, signals, and ``main()``.
# =====================================================================================================================

PROGRAM = "echoscp.py"
LINE_FORMAT = "%(levelname).1s: %(message)s"
FAILURE, REFUSED = 1, 2         # exit statuses
SILENT = CRITICAL + 1


def log_level(chosen):
    """The level that the command line asks for; None for the default."""
    for option, level in (("--quiet", SILENT), ("--verbose", "INFO"), ("--debug", "DEBUG")):
        if option in chosen:
            return level
    return chosen["--log-level"].upper() if "--log-level" in chosen else None


def log_to_standard_error(level):
    """Set up the logger as the manual shows its lines. May be called twice."""
    import logging
    logging.raiseExceptions = False     # what cannot be logged is lost, and nothing else
    logger = logging.getLogger(LOGGER)
    if not logger.handlers:
        handler = logging.StreamHandler(Stderr())
        handler.setFormatter(logging.Formatter(LINE_FORMAT))
        logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level or logging.WARNING)
    logging.getLogger("pydicom").disabled = True    # it would show what a peer sent, unescaped


def log_by_file(name, level):
    """Set up the logger by a configuration file.

    :raises UsageError: where it is missing or broken
    """
    import logging
    from logging.config import fileConfig
    logging.raiseExceptions = False
    try:
        with open(name):
            pass
        fileConfig(name, disable_existing_loggers=False)
    except Exception as error:  # whatever is wrong in it: ConfigParser, import, attribute and file errors
        reason = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
        raise UsageError("option -lc: %s cannot be used: %s" % (quoted(name), escaped(reason)))
    if level is not None:
        logging.getLogger(LOGGER).setLevel(level)


def main(arguments=None, launch=None):
    """Run the program. It ends by ``sys.exit()`` or by the signal that stopped it.

    :param arguments: list of strings; ``sys.argv`` without the program's name where it is None
    :param launch: called with a function that serves and ends the process, to run it elsewhere, and with one to call
        with each signal; returns whether it does so; where it does not, or is None, main() does not return
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # until the server catches it: no traceback
    fill_standard_files()
    try:
        chosen = parse(sys.argv[1:] if arguments is None else arguments)
        if "--help" in chosen:
            sys.exit(say(1, help_text()))
        if "--version" in chosen:
            sys.exit(say(1, "%s %s\n" % (PROGRAM, VERSION)))
        if "--log-config" in chosen:
            log_by_file(chosen["--log-config"], log_level(chosen))
        elif log_level(chosen) is not None:
            log_to_standard_error(log_level(chosen))
        try:
            listener = handed_over(os.environ)
        except ValueError as error:
            raise UsageError(str(error))
        if listener is not None and listener.getsockname()[1] != chosen["port"]:
            raise UsageError("port %d is not the port of the socket handed over (LISTEN_FDS), which is %d" % (
                chosen["port"], listener.getsockname()[1]))
    except UsageError as error:
        say(2, "%s: %s\n" % (PROGRAM, error))
        sys.exit(REFUSED)
    run(chosen, listener, launch)


def run(chosen, listener, launch):
    """Listen, serve until a signal comes, and end by it."""
    raise_file_limit()
    port, report = chosen["port"], Report()
    given = {"ae_title": chosen.get("--aetitle"), "timeout": chosen.get("--timeout"),
             "acse_timeout": chosen.get("--acse-timeout"), "dimse_timeout": chosen.get("--dimse-timeout"),
             "maximum_length": chosen.get("--max-pdu"), "transfer_syntaxes": transfer_syntaxes(chosen)}
    report.lines(["$%s v%s" % (PROGRAM, VERSION), ""])
    try:
        server = EchoServer(port, listener=listener, report=report, steward=find_steward(),
                            **{name: value for name, value in given.items() if value is not None})
    except (socket.error, OSError) as error:
        log_unless_set_up(chosen)
        report.log(CRITICAL, "cannot listen on port %d: %s%s" % (
            port, error.strerror or error, ADVICE.get(error.errno, "")))
        sys.exit(FAILURE)
    report.lines(["Listening on port %d (%s) as %s" % (
        port, "IPv6 and IPv4" if server.socket.family != socket.AF_INET else "IPv4", server.settings.ae_title)])
    log_unless_set_up(chosen)
    received = []

    def serve():
        """Serve until a signal comes, and end by it."""
        notify(os.environ, "READY=1")
        server.serve_forever(SIGNAL_PAUSE)
        notify(os.environ, "STOPPING=1")
        report.lines([report.summary()])
        end_by(received[0])

    def stop(number, _=None):
        """A signal has come: the first one stops the server, the second one ends the process at once."""
        received.append(number)
        if len(received) > 1:
            end_by(number)
        server.request_stop()

    # with -d and -lc, modules may be imported later that expect that the script goes on
    if "--log-config" in chosen or log_level(chosen) == "DEBUG" or launch is None or not launch(serve, stop):
        catch_signals(server, stop)
        serve()


def log_unless_set_up(chosen):
    """The default set-up, which waits until the server listens: logging takes longer to import than most."""
    if "--log-config" not in chosen and log_level(chosen) is None:
        log_to_standard_error(None)


ADVICE = {errno.EACCES: "; ports below 1024 need privileges", errno.EPERM: "; ports below 1024 need privileges",
          errno.EADDRINUSE: "; another program listens there"}


def catch_signals(server, stop):
    """Have ``stop`` called with each signal, and the server woken."""
    for number in ending_signals():
        signal.signal(number, stop)
    wake_on_signal(server.ringer)


def end_by(number):
    """End as a process that this signal ended, as shells and service managers expect."""
    if WINDOWS:
        sys.exit(128 + number)
    try:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    except ValueError:      # only the main thread may do that; in others nobody handles it, but it is blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.pthread_kill(threading.current_thread().ident, number)
    os._exit(128 + number)      # still here: no signal of its own ends the first process of a container


def fill_standard_files():
    """Open what of standard input, output and error is closed, or the next socket would be taken for it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def say(number, text):
    """Write to standard output or error. Returns the exit status: of a failure, where nobody can read it."""
    try:
        os.write(number, text.encode("ascii", "backslashreplace"))
        return 0
    except OSError:
        return FAILURE


__version__ = VERSION

if __name__ == "__main__":
    main(launch=outlive_script)
