"""Facts for an embedding program (Notice), and the sums."""
import collections
import struct
import threading

from dul.association import (
    ABORTED, ABORTING, ACCEPTED, BARE, ECHOED, ENDS, EXPIRED, LOST, REJECTED, RELEASED, REQUESTED)
from dul.codes import P_DATA_TF
from dul.compat import monotonic
from dul.connection import CLOSED, CONNECTED, SENDING
from dul.errors import Expired, PeerError
from dul.foreign import explanation
from dul.text import counted

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
