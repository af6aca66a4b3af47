"""How many connections and associations at once, and who has to go when it is too many."""
import threading

from dul.compat import monotonic
from dul.text import counted

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
