"""The blocking PDU reader: one PDU after another from a stream, its header before the rest is waited for."""
from dul.association import DISCARD, SKIP
from dul.codes import A_ABORT, HEADER_LENGTH, SHORT_LENGTH
from dul.pdu import PDU_HEADER
from dul.words import PDU_NAMES

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
