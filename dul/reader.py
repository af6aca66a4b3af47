"""The PDU reader: one PDU after another from a stream of bytes, judged by its header before the rest is read."""
from dul.codes import HEADER_LENGTH, PDU_NAMES
from dul.errors import ConnectionLost
from dul.pdu import PDU_HEADER

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
