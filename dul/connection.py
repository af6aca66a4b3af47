"""One connection, in its handler thread: read, tell the association, carry out its effects, pass the facts on."""
from dul.association import CLOCK, ECHOED, ENDS, READ, REQUESTED, SEND, SKIP, Association
from dul.codes import SUCCESS
from dul.compat import monotonic, socketserver
from dul.errors import ClosedHere, ConnectionLost, Stopped
from dul.fsm import Undefined
from dul.reader import PDUReader
from dul.transport import DeadlinePassed, Transport

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
