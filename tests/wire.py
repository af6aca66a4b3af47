"""DICOM bytes made and read with struct alone, without the program under test; and a peer that sends them."""
import socket
import struct

VERIFICATION = b"1.2.840.10008.1.1"
CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2"
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
IMPLICIT, LITTLE, BIG = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2"
RELEASE_RQ = b"\x05\0\0\0\0\x04\0\0\0\0"
RELEASE_RP = b"\x06\0\0\0\0\x04\0\0\0\0"
ABORT = b"\x07\0\0\0\0\x04\0\0\0\0"


def abort(source, reason):
    """A-ABORT."""
    return struct.pack(">BxIxxBB", 7, 4, source, reason)


def reject(result, source, reason):
    """A-ASSOCIATE-RJ."""
    return struct.pack(">BxIxBBB", 3, 4, result, source, reason)


def pdu(kind, body):
    """Any PDU."""
    return struct.pack(">BxI", kind, len(body)) + body


def item(kind, body):
    """Any item or sub-item."""
    return struct.pack(">BxH", kind, len(body)) + body


def context(context_id=1, abstract=VERIFICATION, transfers=(IMPLICIT,)):
    """A proposed presentation context (20H)."""
    return item(0x20, struct.pack(">B3x", context_id) + item(0x30, abstract)
                + b"".join([item(0x40, uid) for uid in transfers]))


def user_information(*extra, **options):
    """User information (50H): 51H and 52H, then what else is given; ``maximum=None`` leaves 51H out."""
    maximum = options.get("maximum", 16384)
    head = b"" if maximum is None else item(0x51, struct.pack(">I", maximum))
    return item(0x50, head + item(0x52, b"1.2.3.4") + b"".join(extra))


def associate_rq(contexts=None, user=None, called=b"ECHOSCP", calling=b"TESTER", version=1,
                 application=APPLICATION_CONTEXT, extra=b"", reserved=b"\0" * 32):
    """A-ASSOCIATE-RQ; ``contexts`` and ``user`` are encoded items; ``application=None`` leaves 10H out."""
    items = b"" if application is None else item(0x10, application)
    items += context() if contexts is None else b"".join(contexts)
    items += user_information() if user is None else user
    return pdu(1, struct.pack(">HH", version, 0) + called.ljust(16)[:16] + calling.ljust(16)[:16] + reserved
               + items + extra)


def element(number, value, group=0):
    """A command element."""
    return struct.pack("<HHI", group, number, len(value)) + value


def us(value):
    """VR US."""
    return struct.pack("<H", value)


def command(*elements, **options):
    """A command set with its group length (``length`` overrides it, ``length=None`` leaves it out)."""
    body = b"".join(elements)
    length = options.get("length", len(body))
    return body if length is None else element(0, struct.pack("<I", length)) + body


def echo_command(message_id=1, sop_class=VERIFICATION, field=0x0030, data_set=0x0101):
    """The command set of a C-ECHO-RQ."""
    elements = [] if sop_class is None else [element(2, sop_class + b"\0" * (len(sop_class) % 2))]
    return command(*(elements + [element(0x100, us(field)), element(0x110, us(message_id)),
                                 element(0x800, us(data_set))]))


def pdv(fragment, context_id=1, control=3):
    """A PDV item."""
    return struct.pack(">IBB", len(fragment) + 2, context_id, control) + fragment


def p_data(*pdvs):
    """P-DATA-TF."""
    return pdu(4, b"".join(pdvs))


def echo_rq(message_id=1, context_id=1):
    """A C-ECHO-RQ in one P-DATA-TF."""
    return p_data(pdv(echo_command(message_id), context_id))


def echo_rsp(message_id=1, context_id=1, status=0):
    """The C-ECHO-RSP that is due, in one P-DATA-TF."""
    return p_data(pdv(command(element(2, VERIFICATION + b"\0"), element(0x100, us(0x8030)),
                              element(0x120, us(message_id)), element(0x800, us(0x0101)),
                              element(0x900, us(status))), context_id))


def split(data):
    """The PDUs of a stream that ends with a whole one."""
    found = []
    while data:
        end = 6 + struct.unpack(">I", data[2:6])[0]
        found.append(data[:end])
        data = data[end:]
    return found


def items_of(data):
    """[(Item-type, body)] of encoded items; ValueError where they do not fill it exactly."""
    found = []
    while data:
        kind, length = struct.unpack(">BxH", data[:4])
        if length > len(data) - 4:
            raise ValueError("item %02XH is cut off" % kind)
        found.append((kind, data[4:4 + length]))
        data = data[4 + length:]
    return found


def decode_ac(data):
    """A whole A-ASSOCIATE-AC, as PS3.8 9.3.3 lays it out; ValueError where it is none.

    :returns: ``version``, ``echoed`` (bytes 11-74), ``application``, ``contexts`` [(ID, result, transfer syntax)],
        ``user`` [(Item-type, body)]
    """
    kind, length, version = struct.unpack(">BxIHxx", data[:10])
    found = items_of(data[74:])
    kinds = [each for each, _ in found]
    if kind != 2 or length != len(data) - 6 or kinds != [0x10] + [0x21] * (len(found) - 2) + [0x50]:
        raise ValueError("not an A-ASSOCIATE-AC")
    contexts = []
    for _, body in found[1:-1]:
        (inner, syntax), = items_of(body[4:])
        if inner != 0x40 or body[1:2] + body[3:4] != b"\0\0":
            raise ValueError("not a presentation context item of an A-ASSOCIATE-AC")
        contexts.append((ord(body[:1]), ord(body[2:3]), syntax))
    return {"version": version, "echoed": data[10:74], "application": found[0][1], "contexts": contexts,
            "user": items_of(found[-1][1])}


class Peer(object):
    """A raw peer: a TCP connection that sends bytes and reads PDUs.

    :param address: (host, port)
    """

    def __init__(self, address, timeout=20.0, receive_buffer=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(address[:2])
        except socket.error:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        """Send all of it. Returns the peer, so that calls can follow one another."""
        self.sock.sendall(data)
        return self

    def read(self, length):
        """Exactly so many bytes, fewer only where the stream ends."""
        data = b""
        while len(data) < length:
            more = self.sock.recv(length - len(data))
            if not more:
                break
            data += more
        return data

    def pdu(self):
        """The next PDU, whole; ``b""`` at the end of the stream."""
        header = self.read(6)
        return header + self.read(struct.unpack(">I", header[2:])[0]) if len(header) == 6 else header

    def rest(self):
        """Everything until the end of the stream; a reset raises socket.error."""
        data = b""
        while True:
            more = self.sock.recv(65536)
            if not more:
                return data
            data += more

    def finish(self):
        """Say that nothing more will be sent, and return everything until the end of the stream."""
        self.sock.shutdown(socket.SHUT_WR)
        return self.rest()

    def associate(self, *arguments, **options):
        """Send an A-ASSOCIATE-RQ and return the answer."""
        return self.send(associate_rq(*arguments, **options)).pdu()

    def reset(self):
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Close."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def other_service(address):
    """One association that proposes another service alone, and is aborted."""
    with Peer(address) as peer:
        peer.send(associate_rq([context(1, CT_IMAGE), context(3, CT_IMAGE)]))
        answers = peer.pdu()[:1], peer.pdu(), peer.finish()
        if answers != (b"\x02", abort(0, 0), b""):
            raise AssertionError("%r" % (answers,))
