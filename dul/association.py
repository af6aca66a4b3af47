"""One association, from accept to close: it owns socket, state and ARTIM, and runs the table's actions.

The thread that runs it turns what comes from the peer into events; PS3.8 Table 9-10 (fsm) says which action that is;
the method of the action's name carries it out. What the service user does (accept, answer an echo, agree to a
release) is an event of its own, raised from within the action that told the user.
"""
from dul.acse import check_protocol_version, negotiate
from dul.codes import (
    A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, ABORT_BY_USER,
    LARGEST_RQ, P_DATA_TF, PDU_NAMES, REJECT_LOCAL_LIMIT)
from dul.compat import escaped, monotonic
from dul.dimse import (
    US, Assembler, CommandSet, CommonEcho, EchoRequest, to_pdus)
from dul.dump import no_context_sentence
from dul.errors import (
    Aborted, ConnectionLost, Expired, InvalidPDU, MessageError, Rejected, Stopped, UnexpectedPDU, abort_words,
    reject_words)
from dul.foreign import protocol_of
from dul.fsm import (
    CONTENT, HEADER, START, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15,
    Evt16, Evt17, Evt18, Evt19, Machine, Undefined)
from dul.pdu import AAbort, AAssociateRJ, AReleaseRP, AReleaseRQ, check_header, decode_pdu
from dul.reader import FIRST_READ, PDUReader
from dul.report import LOST
from dul.transport import Transport

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
