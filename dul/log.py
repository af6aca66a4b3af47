"""Facts as log lines in the manual's words; warnings that cannot fill a disk; a writer that holds nothing up.

The logger is ``echoscp``. The module logging is imported when the server listens already, because it takes a quarter
of the time of the start, and before it serves, because later no file may be left to be opened.
"""
import collections
import sys
import threading
import time

from dul.association import ABORTED, ABORTING, ACCEPTED, BARE, ECHOED, LOST, REJECTED, RELEASED, REQUESTED
from dul.compat import monotonic, start_new_thread
from dul.connection import CLOSED
from dul.dump import LINES, invalid_lines
from dul.errors import ClosedHere, InvalidPDU, PeerError, Stopped
from dul.foreign import explanation, is_proxy_header
from dul.text import counted, shortened

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
