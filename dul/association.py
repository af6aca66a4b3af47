"""One association, from accept to close, as PS3.8 sees it: an acceptor that answers C-ECHO.

Its owner calls a method for each thing that happens: open(), header(), pdu(), lost(), expired(), abort(), release().
What is to be done then, and what happened, is in ``effects``: a list of (kind, value), in their order. The owner
carries out the effects and tells the facts; nothing comes back.

Effects:
    SEND, bytes: send one PDU.
    CLOCK, (option, seconds): from now on receiving ends after so many seconds, and expired() is due; 0 seconds: never.
Facts:
    REQUESTED, Decision: an A-ASSOCIATE-RQ came. ACCEPTED, Decision: it is accepted. ECHOED, Echo: a C-ECHO-RQ is
    answered. MOVED, (state, event, name of the action, next state): a step of the state machine, where ``trace`` asks for it.
Facts of which each association has one, which ends it:
    REJECTED, Rejected. RELEASED, None. ABORTING, PeerError: this side aborts because of it. ABORTED, Aborted: the peer
    aborts. LOST, ConnectionLost. BARE, ConnectionLost: it ended without one byte from the peer. EXPIRED, Expired: ARTIM
    ended before the A-ASSOCIATE-RQ came.
"""
from dul.acse import Decision
from dul.codes import (
    A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, ABORT_BY_USER, CLOSING_SECONDS,
    LARGEST_RQ, P_DATA_TF, REJECT_LOCAL_LIMIT)
from dul.dimse import EchoService
from dul.errors import Aborted, ClosedHere, Expired, InvalidPDU, MessageError, Rejected, UnexpectedPDU
from dul.fsm import (
    FIRST, HEADER, SECOND, START, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13,
    Evt14, Evt15, Evt16, Evt17, Evt18, Evt19, Machine)
from dul.pdu import RELEASE_RP, RELEASE_RQ, decode_abort, encode_abort, encode_associate_rj, invalid_header
from dul.words import PDU_NAMES

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
