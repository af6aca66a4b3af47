"""Drives an Association without a socket: bytes go in, cut in any way; what is sent and told comes out."""
import struct

ABORT_HEADER = b"\x07\0\0\0\0\x04"
PDU_NAMES = {1: "A-ASSOCIATE-RQ", 2: "A-ASSOCIATE-AC", 3: "A-ASSOCIATE-RJ", 4: "P-DATA-TF", 5: "A-RELEASE-RQ",
             6: "A-RELEASE-RP", 7: "A-ABORT"}


class Driver(object):
    """One association of a form of the program, and its owner's part as the docstrings of Association say it.

    :param form: the form under test
    :param respond: whether an A-ASSOCIATE-RQ is answered at once
    :param told: called with (driver, kind, value) for all that is told: the facts of the association, and what a
        connection adds to them (RECEIVING, SENDING)
    :ivar sent: bytes of each SEND
    :ivar facts: [(kind, value)] without SEND, CLOCK and MOVED
    :ivar clocks: [(option, seconds)]
    :ivar moves: values of MOVED
    """

    def __init__(self, form, trace=False, admit=lambda: True, negotiator=None, respond=True, told=None, **settings):
        self.form = form
        self.association = form.Association(negotiator or form.Negotiator(form.Settings(**settings)), admit, trace)
        self.respond = respond
        self.told = told
        self.sent, self.facts, self.clocks, self.moves = [], [], [], []
        self.buffer, self.header, self.arrived = b"", None, 0
        self.left = None        # bytes that are still thrown away; -1: until an A-ABORT
        self.seeks = False      # whether an A-ABORT among them is heard
        self.association.open()
        self.apply()

    def apply(self):
        """Take the effects out, and answer an A-ASSOCIATE-RQ."""
        association, form = self.association, self.form
        while association.effects:
            effects, association.effects = association.effects, []
            for kind, value in effects:
                if kind == form.SEND:
                    self.sent.append(value)
                    self.tell(form.SENDING, value)
                elif kind == form.CLOCK:
                    self.clocks.append(value)
                else:
                    if kind == form.MOVED:
                        self.moves.append(value)
                    else:
                        self.facts.append((kind, value))
                    self.tell(kind, value)
            if association.undecided and self.respond:
                association.respond()
        return self

    def tell(self, kind, value):
        """Pass it on."""
        if self.told:
            self.told(self, kind, value)

    @property
    def output(self):
        """All that was sent, and forget it."""
        data, self.sent = b"".join(self.sent), []
        return data

    @property
    def state(self):
        """The name of the state."""
        return self.association.state.name

    @property
    def over(self):
        """Whether the connection is to be closed."""
        return self.association.over

    def feed(self, *pieces):
        """Bytes arrive, piece by piece."""
        for data in pieces:
            self.buffer += data
            while not self.over and self.advance():
                pass
        return self

    def advance(self):
        """Take one PDU or a part of one from the buffer. Returns whether more may be done with it."""
        form, association = self.form, self.association
        if self.left is not None:
            return self.skip()
        if self.header is None:
            if len(self.buffer) < 6:
                return False
            kind, length = struct.unpack(">BxI", self.buffer[:6])
            self.tell(form.RECEIVING, (kind, length))
            how = association.header(kind, length, self.buffer)
            self.header = (kind, 6 + length)
            if how != form.READ:
                self.apply()
                self.buffer, self.seeks = self.buffer[6:], how != form.SKIP
                self.left = -1 if how == form.DISCARD else length
                return True
        total = self.header[1]
        if len(self.buffer) < total:
            return False
        data, self.buffer, self.header = self.buffer[:total], self.buffer[total:], None
        association.pdu(data)
        self.apply()
        return True

    def skip(self):
        """Throw away what is to be thrown away, as far as it is there."""
        found = self.buffer.find(ABORT_HEADER) if self.seeks else -1
        if 0 <= found and (self.left < 0 or found < self.left):
            self.buffer, self.left, self.header = self.buffer[found:], None, None
            return True
        if 0 <= self.left <= len(self.buffer):
            self.buffer, self.left, self.header = self.buffer[self.left:], None, None
            return True
        kept = min(len(self.buffer), 5) if self.seeks else 0
        gone = len(self.buffer) - kept
        self.buffer = self.buffer[gone:]
        self.left -= gone if self.left > 0 else 0
        return False

    def progress(self):
        """What has arrived of the next PDU."""
        if self.header is None:
            return "%d of the 6 bytes of a PDU header" % len(self.buffer) if self.buffer else ""
        if self.left is not None:
            return "part of a PDU"
        return "%d of %d bytes of %s" % (len(self.buffer), self.header[1], PDU_NAMES[self.header[0]])

    def end(self, error=None):
        """The stream ends."""
        if not self.over:
            error = error or self.form.ConnectionLost("connection closed by the peer")
            error.progress = error.progress or self.progress()
            self.association.lost(error)
            self.apply()
        return self

    def expire(self):
        """The deadline passes."""
        self.association.expired(self.progress())
        return self.apply()

    def kinds(self):
        """The kinds of the facts."""
        return [kind for kind, _ in self.facts]

    def errors(self):
        """The facts that are something that went wrong."""
        return [value for _, value in self.facts if isinstance(value, self.form.PeerError)]


def judge_header(form, pdu_type, length, maximum_length=0):
    """The InvalidPDU that a header is refused with, or None."""
    driver = Driver(form, maximum_length=maximum_length)
    driver.association.header(pdu_type, length, b"")
    found = [each for each in driver.apply().errors() if isinstance(each, form.InvalidPDU)]
    return found[0] if found else None


def every(data, size):
    """Pieces of ``size`` bytes."""
    return [data[start:start + size] for start in range(0, len(data), size)]
