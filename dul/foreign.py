"""What a peer speaks that does not speak DICOM, told from its first bytes: for our user, never for the peer.

Of what it sends only the first line is shown, and of that only what names no user: no query, no credentials.
"""
import struct

from dul.errors import InvalidPDU
from dul.text import PLAIN, as_native, escaped
from dul.words import PDU_NAMES

SHOWN = 80              # characters of a request line or banner that are shown at most
LONGEST = 2000          # bytes of a first line that are looked at
PRINTABLE = PLAIN + b"\\"
FEW = 5                 # bytes that are shown of what is not recognized
TLS_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SERVER_NAME, SUPPORTED_VERSIONS = 0, 43     # TLS extensions (RFC 6066, RFC 8446)
SMB_VERSIONS = {b"\xffSMB": "version 1", b"\xfeSMB": "version 2 or 3"}
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_ADVICE = "a load balancer announces its client; switch that off there"
HTTP_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE", b"CONNECT", b"TRACE", b"PATCH", b"PRI")
# Other protocols of text lines: (first words, last word of the line begins with, name, who the peer is)
TEXT_PROTOCOLS = (
    ((), b"RTSP/", "RTSP", "a video client or a port scanner"),
    ((), b"SIP/", "SIP", "a telephone or a port scanner"),
    ((b"EHLO", b"HELO", b"MAIL"), b"", "SMTP", "a mail client"),
    ((b"USER", b"PASS", b"AUTH", b"FEAT", b"SYST"), b"", "FTP", "a file transfer client"),
)


def explanation(error):
    """What a PeerError tells, in one sentence: of what opens a connection and is not DICOM, which protocol it is."""
    if not isinstance(error, InvalidPDU) or not error.opening or not error.data:
        return str(error)
    sentence = protocol_of(error.data)
    if sentence is None and ord(error.data[:1]) not in PDU_NAMES:
        start = " ".join(["%02x" % code for code in bytearray(error.data[:FEW])])
        return "not DICOM: %s%s: %s" % (start, " ..." if len(error.data) > FEW else "", error)
    return sentence or str(error)


def protocol_of(data):
    """What the first bytes of a connection are and what that means, in one sentence; None where that is not known."""
    return _tls(data) or _text(_line(data)) or _binary(data)


def is_proxy_header(data):
    """Whether this is a PROXY header with nothing behind it, as in a load balancer's own health check."""
    if data.startswith(PROXY_V2):
        return len(data) >= 16 and len(data) == 16 + _uint16(data, 14)
    return data.startswith(b"PROXY ") and data.endswith(b"\r\n") and data.count(b"\n") == 1


def _tls(data):
    if data[:2] == b"\x16\x03":
        offered, server_name = client_hello(data)
        return "TLS ClientHello (%s offered%s): the peer speaks DICOM over TLS, this port does not" % (
            TLS_VERSIONS.get(offered, "version %04XH" % offered),
            ", SNI %s" % escaped(server_name[:SHOWN]) if server_name else "")
    if data[2:5] in (b"\x01\0\x02", b"\x01\x03\0", b"\x01\x03\x01") and data[:1] >= b"\x80":
        return "SSL 2 ClientHello: the peer speaks DICOM over TLS, this port does not"
    return None


def client_hello(data):
    """(highest version offered, server name) of a TLS ClientHello (RFC 8446 4.1.2), as far as it is there."""
    version, name, offset = 0, b"", 43
    try:
        version = _uint16(data, 1)      # of the record, then of the hello
        version = _uint16(data, 9)
        for size in (">B", ">H", ">B"):     # session ID, cipher suites, compression methods
            offset += struct.calcsize(size) + struct.unpack_from(size, data, offset)[0]
        offset += 2
        while True:
            extension, length = struct.unpack_from(">HH", data, offset)
            body = data[offset + 4:offset + 4 + length]
            if extension == SERVER_NAME:
                name = host_name(body)
            elif extension == SUPPORTED_VERSIONS:
                version = _highest(body, version)
            offset += 4 + length
    except struct.error:                    # the end of what is there
        return version, name


def _highest(body, version):
    offered = [_uint16(body, offset) for offset in range(1, len(body) - 1, 2)]
    return max([version] + [each for each in offered if each in TLS_VERSIONS])


def host_name(body):
    """The one host name of a server_name extension (RFC 6066 3); nothing where it may be anything else."""
    name = body[5:]
    as_due = body[:5] == struct.pack(">HBH", len(name) + 3, 0, len(name)) and name.translate(None, b"-._").isalnum()
    return name if as_due else b""


def _uint16(data, offset):
    return struct.unpack_from(">H", data, offset)[0]


def _text(line):
    words = line.split(b" ")
    for first, last, name, peer in TEXT_PROTOCOLS:
        if words[0].upper() in first or last and len(words) > 2 and words[-1].startswith(last):
            return "%s: the peer is %s" % (name, peer)
    if words[0] in HTTP_METHODS and len(words) > 1:
        path = words[1].split(b"?")[0]
        known = [words[0]] + [path] * (path[:1] in (b"/", b"*"))        # not the user in an absolute URL
        known += [each for each in words[2:] if each.startswith(b"HTTP/")][:1]
        return "HTTP request (%s): the peer is a browser, a web client or a health check" % _shown(b" ".join(known))
    if line.startswith(b"SSH-"):
        return "SSH (%s): the peer is an SSH client" % _shown(line)
    if line.startswith(b"PROXY "):
        return "PROXY protocol version 1 (%s): %s" % (_shown(line), PROXY_ADVICE)
    return None


def _binary(data):
    start = data.lstrip(b"\x0b")[:3]
    if start in (b"MSH", b"FHS", b"BHS") and data[:1] in (b"\x0b", b"M"):
        return "HL7 version 2 message (%s|...): the peer sends HL7 over MLLP, it wants another port" % as_native(start)
    if data[4:8] in SMB_VERSIONS:
        return "SMB (%s): the peer looks for Windows file shares" % SMB_VERSIONS[data[4:8]]
    if data[:2] == b"\x03\0" and data[5:6] == b"\xe0" and ord(data[4:5]) == _uint16(data, 2) - 5:     # TPKT, X.224
        return "RDP connection request: the peer looks for a Windows remote desktop"
    if data.startswith(PROXY_V2):
        return "PROXY protocol version 2: " + PROXY_ADVICE
    return None


def _line(data):
    """The first line, up to the first byte that is not printable ASCII."""
    rest = data[:LONGEST].lstrip(PRINTABLE)
    return data[:min(len(data), LONGEST) - len(rest)]


def _shown(line):
    return escaped(line[:SHOWN]) + (" ..." if len(line) > SHOWN else "")
