"""What a peer speaks that does not speak DICOM, told from its first bytes: for our user, never for the peer. Pure."""
import struct

from dul.compat import escaped

SHOWN = 80              # bytes of a request line or banner that are shown at most
TLS_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SERVER_NAME, SUPPORTED_VERSIONS = 0, 43     # TLS extensions (RFC 6066, RFC 8446)
HTTP_METHODS = (
    b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ", b"DELETE ", b"CONNECT ", b"TRACE ", b"PATCH ", b"PRI ")
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def protocol_of(data):
    """What these first bytes are and what that means, in one sentence; None where they look like nothing known.

    :param data: what has arrived, from the first byte of the connection
    """
    for recognize in (_tls, _http, _hl7, _ssh, _smb, _rdp, _proxy):
        sentence = recognize(data)
        if sentence:
            return sentence
    return None


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
        version = struct.unpack_from(">H", data, 1)[0]      # of the record, then of the hello
        version = struct.unpack_from(">H", data, 9)[0]
        for size in (">B", ">H", ">B"):     # session ID, cipher suites, compression methods
            offset += struct.calcsize(size) + struct.unpack_from(size, data, offset)[0]
        offset += 2
        while True:
            extension, length = struct.unpack_from(">HH", data, offset)
            body = data[offset + 4:offset + 4 + length]
            if extension == SERVER_NAME:
                name = body[5:5 + struct.unpack_from(">H", body, 3)[0]]
            elif extension == SUPPORTED_VERSIONS:
                found = [struct.unpack_from(">H", body, i)[0] for i in range(1, len(body) - 1, 2)]
                version = max([v for v in found if v in TLS_VERSIONS] + [version])
            offset += 4 + length
    except struct.error:                    # the end of what is there
        return version, name


def _http(data):
    if not data.startswith(HTTP_METHODS):
        return None
    return "HTTP request (%s): the peer is a browser, a web client or a health check" % _line(data)


def _hl7(data):
    if data[:4] in (b"\x0bMSH", b"MSH|") or data[:4] in (b"\x0bFHS", b"\x0bBHS"):
        return "HL7 version 2 message (%s): the peer sends HL7 over MLLP, it wants another port" % _line(data)
    return None


def _ssh(data):
    return "SSH (%s): the peer is an SSH client" % _line(data) if data[:4] == b"SSH-" else None


def _smb(data):
    if data[4:8] in (b"\xffSMB", b"\xfeSMB"):
        return "SMB (%s): the peer looks for Windows file shares" % (
            "version 1" if data[4:5] == b"\xff" else "version 2 or 3")
    return None


def _rdp(data):
    if data[:2] == b"\x03\0" and data[5:6] == b"\xe0":
        return "RDP connection request: the peer looks for a Windows remote desktop"
    return None


def _proxy(data):
    if data.startswith(PROXY_V2):
        return "PROXY protocol version 2: a load balancer announces its client; switch that off there"
    if data.startswith(b"PROXY "):
        return "PROXY protocol version 1 (%s): a load balancer announces its client; switch that off there" % _line(
            data)
    return None


def _line(data):
    line = data.lstrip(b"\x0b").replace(b"\n", b"\r").split(b"\r")[0]
    return escaped(line[:SHOWN]) + (" ..." if len(line) > SHOWN else "")
