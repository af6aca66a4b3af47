"""What happens, told three ways: log lines in the manual's words, notices to an embedding program, and the sums.

The logger is ``echoscp``. logging is imported when the server listens already, and before it serves: then a line can
be logged even when no file can be opened any more.
"""
import sys
import threading

from dul.compat import monotonic
from dul.dump import acceptance_lines, begin, end, hex_lines, message_lines, request_lines, title_text
from dul.errors import Expired, InvalidPDU

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
