"""Protocols that are not DICOM, told from their first bytes."""
import struct
import unittest

try:
    import ssl
except ImportError:     # a Python that was built without it
    ssl = None

from support import both_forms
from wire import associate_rq, pdu, reject

PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"
DICOM_OVER_TLS = ": the peer speaks DICOM over TLS, this port does not"
WEB = ": the peer is a browser, a web client or a health check"
PROXY = ": a load balancer announces its client; switch that off there"


def extension(number, body):
    """A TLS extension."""
    return struct.pack(">HH", number, len(body)) + body


def server_name(name):
    """The extension server_name (RFC 6066 3)."""
    return extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)


def supported_versions(*versions):
    """The extension supported_versions of a client (RFC 8446 4.2.1)."""
    return extension(43, struct.pack("B", 2 * len(versions)) + b"".join([struct.pack(">H", each) for each in versions]))


def client_hello(version, extensions=(), session=b"", record=0x0301):
    """A TLS ClientHello in one record (RFC 8446 4.1.2, RFC 5246 7.4.1.2)."""
    body = struct.pack(">H", version) + b"R" * 32 + struct.pack("B", len(session)) + session
    body += b"\0\4\x13\1\0\x2f" + b"\1\0"
    if extensions:
        body += struct.pack(">H", len(b"".join(extensions))) + b"".join(extensions)
    hello = b"\1\0" + struct.pack(">H", len(body)) + body
    return b"\x16" + struct.pack(">HH", record, len(hello)) + hello


ALPN = extension(16, b"\0\3\2h2")
TLS = [
    (client_hello(0x0300), "SSL 3.0 offered"),
    (client_hello(0x0301), "TLS 1.0 offered"),
    (client_hello(0x0302), "TLS 1.1 offered"),
    (client_hello(0x0303), "TLS 1.2 offered"),
    (client_hello(0x0399), "version 0399H offered"),
    (client_hello(0x0303, [supported_versions(0x0304, 0x0303)]), "TLS 1.3 offered"),
    (client_hello(0x0303, [supported_versions(0x0303, 0x0304)]), "TLS 1.3 offered"),
    (client_hello(0x0303, [supported_versions(0x0303, 0x0302)]), "TLS 1.2 offered"),
    (client_hello(0x0303, [supported_versions(0x7A7A, 0x0304, 0x0303)]), "TLS 1.3 offered"),     # GREASE (RFC 8701)
    (client_hello(0x0303, [ALPN, supported_versions(0x0304)], b"S" * 32), "TLS 1.3 offered"),
    (client_hello(0x0301, [server_name(b"pacs.example")]), "TLS 1.0 offered, SNI pacs.example"),
    (client_hello(0x0303, [ALPN, server_name(b"a"), supported_versions(0x0304)]), "TLS 1.3 offered, SNI a"),
    (client_hello(0x0303, [supported_versions(0x0304), ALPN, server_name(b"x" * 79), ALPN], b"S"),
     "TLS 1.3 offered, SNI " + "x" * 79),
    (client_hello(0x0303, [server_name(b"x" * 90)]), "TLS 1.2 offered, SNI " + "x" * 80),
    (client_hello(0x0303, [server_name(b"a-b_c.example")]), "TLS 1.2 offered, SNI a-b_c.example"),
    (client_hello(0x0303, [server_name(b"\x1b[2J\n")]), "TLS 1.2 offered"),     # nor anything else that is no host name
    (client_hello(0x0303, [server_name(b"maria@geheim")]), "TLS 1.2 offered"),
    (client_hello(0x0303, [extension(0, b"\0\x09\0\0\6secretXX")]), "TLS 1.2 offered"),
    (client_hello(0x0303, [extension(0, b"\0\x0a\0\0\6secret")]), "TLS 1.2 offered"),
    (client_hello(0x0303, [extension(0, b"\0\x09\1\0\6secret")]), "TLS 1.2 offered"),
    (client_hello(0x0303, [server_name(b"")]), "TLS 1.2 offered"),
    (client_hello(0x0303)[:11], "TLS 1.2 offered"),
    (client_hello(0x0303)[:5], "TLS 1.0 offered"),      # of the record: the hello is not there
    (client_hello(0x0303, record=0x0302)[:9], "TLS 1.1 offered"),
]
TABLE = [(data, "TLS ClientHello (%s)" % words + DICOM_OVER_TLS) for data, words in TLS] + [
    (b"\x80\x2e\x01\x00\x02\x00", "SSL 2 ClientHello" + DICOM_OVER_TLS),
    (b"\x80\x2e\x01\x03\x00\x00", "SSL 2 ClientHello" + DICOM_OVER_TLS),
    (b"\x80\x2e\x01\x03\x01\x00", "SSL 2 ClientHello" + DICOM_OVER_TLS),
    (b"GET /index.html HTTP/1.1\r\nHost: x\r\n", "HTTP request (GET /index.html HTTP/1.1)" + WEB),
    (b"POST /dicom-web?token=secret HTTP/1.0\r\n", "HTTP request (POST /dicom-web HTTP/1.0)" + WEB),
    (b"GET /?user=maria&password=geheim HTTP/1.1\r\n", "HTTP request (GET / HTTP/1.1)" + WEB),
    (b"GET http://maria:geheim@host/x HTTP/1.1\r\n", "HTTP request (GET HTTP/1.1)" + WEB),
    (b"CONNECT maria:geheim@host:443 HTTP/1.1\r\n", "HTTP request (CONNECT HTTP/1.1)" + WEB),
    (b"OPTIONS * HTTP/1.1\r\n", "HTTP request (OPTIONS * HTTP/1.1)" + WEB),
    (b"OPTIONS /", "HTTP request (OPTIONS /)" + WEB),
    (b"GET / HTTP/1.1 secret words\r\n", "HTTP request (GET / HTTP/1.1)" + WEB),
    (b"GET /a?q=DOE^JOHN 19600101 F HTTP/1.1\r\n", "HTTP request (GET /a HTTP/1.1)" + WEB),
    (b"GET http://maria:ge heim@host/ HTTP/1.1\r\n", "HTTP request (GET HTTP/1.1)" + WEB),
    (b"GET /a maria geheim\r\n", "HTTP request (GET /a)" + WEB),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP request (PRI * HTTP/2.0)" + WEB),
    (b"HEAD / HTTP/1.0\n\n", "HTTP request (HEAD / HTTP/1.0)" + WEB),
    (b"PUT /\\x HTTP/1.0\n\n", "HTTP request (PUT /\\\\x HTTP/1.0)" + WEB),
    (b"DELETE /a HTTP/1.0\n", "HTTP request (DELETE /a HTTP/1.0)" + WEB),
    (b"TRACE /a HTTP/1.0\n", "HTTP request (TRACE /a HTTP/1.0)" + WEB),
    (b"PATCH /a HTTP/1.0\n", "HTTP request (PATCH /a HTTP/1.0)" + WEB),
    (b"OPTIONS / RTSP/1.0\r\n\r\n", "RTSP: the peer is a video client or a port scanner"),
    (b"DESCRIBE rtsp://maria:geheim@cam/1 RTSP/1.0\r\n", "RTSP: the peer is a video client or a port scanner"),
    (b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n", "SIP: the peer is a telephone or a port scanner"),
    (b"EHLO mail.example\r\n", "SMTP: the peer is a mail client"),
    (b"helo mail.example\r\n", "SMTP: the peer is a mail client"),
    (b"MAIL FROM:<maria@example>\r\n", "SMTP: the peer is a mail client"),
    (b"USER maria\r\n", "FTP: the peer is a file transfer client"),
    (b"PASS geheim\r\n", "FTP: the peer is a file transfer client"),
    (b"AUTH TLS\r\n", "FTP: the peer is a file transfer client"),
    (b"FEAT\r\n", "FTP: the peer is a file transfer client"),
    (b"SYST\r\n", "FTP: the peer is a file transfer client"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\nsecret", "SSH (SSH-2.0-OpenSSH_9.2p1): the peer is an SSH client"),
    (b"\0\0\0\x85\xffSMBr\0", "SMB (version 1): the peer looks for Windows file shares"),
    (b"\0\0\0\xd0\xfeSMB@\0", "SMB (version 2 or 3): the peer looks for Windows file shares"),
    (b"\x03\x00\x00\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
     "RDP connection request: the peer looks for a Windows remote desktop"),
    (b"\x03\x00\x00\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=maria\r\n",
     "RDP connection request: the peer looks for a Windows remote desktop"),
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\nsecret",
     "PROXY protocol version 1 (PROXY TCP4 10.0.0.1 10.0.0.2 4711 104)" + PROXY),
    (b"PROXY UNKNOWN\r\n", "PROXY protocol version 1 (PROXY UNKNOWN)" + PROXY),
    (PROXY_V2 + b"\x21\x11\0\x0c" + b"\0" * 12, "PROXY protocol version 2" + PROXY),
    (PROXY_V2 + b"\x20\0\0\0", "PROXY protocol version 2" + PROXY),
] + [(start + b"|^~\\&|LAB|maria\rPID|1\r\x1c\r",
      "HL7 version 2 message (%s|...): the peer sends HL7 over MLLP, it wants another port" % name)
     for start, name in ((b"\x0bMSH", "MSH"), (b"MSH", "MSH"), (b"\x0bFHS", "FHS"), (b"\x0bBHS", "BHS"),
                         (b"\x0b\x0bMSH", "MSH"))]
UNKNOWN = [
    b"", b"\0" * 20, b"\xff" * 40, b"hello", b"hello there you\r\n", b"\x01\0\0\0\0\xcd", b"\x04\0\0\0\0\x4a",
    b"\x16", b"\x16\x02\x01", b"\x15\x03\x01\0\2\2\x28", b"\x7f\x2e\x01\x03\x01\0", b"\x80\x2e\x01\x03\x02\0",
    b"GET", b"GET\r\n/ HTTP/1.1", b"get / HTTP/1.1", b"GETS / HTTP/1.1", b"FHS|^~\\&|", b"MSA|", b"\x0bPID|",
    b"xMSH|", b"\x1bMSH|", b"FSSH-2.0", b"SSH", b"\0\0\0\x85\xfdSMB", b"\0\0\0\x85\xffSMC", b"RTSP/1.0 200 OK\r\n",
    b"x RTSP/1.0\r\n",
    b"SIP/2.0 200 OK\r\n", b"USERS", b"XUSER maria", b"PROXY\r\n", b"PROXYX", PROXY_V2[:11],
]


class Foreign(object):
    """protocol_of()."""

    def test_each_is_named_and_nothing_shown_that_names_a_user(self):
        for data, sentence in TABLE:
            self.assertEqual(self.dul.protocol_of(data), sentence, data)
            for secret in ("maria", "geheim", "secret"):
                self.assertNotIn(secret, sentence)

    def test_what_is_not_known_is_not_guessed(self):
        for data in UNKNOWN:
            self.assertIsNone(self.dul.protocol_of(data), data)

    def test_dicom_is_not_taken_for_a_remote_desktop(self):
        for data in (reject(1, 1, 1), b"\x03\0\0\0\0\xe0" + b"x" * 224, b"\x03\0\0\x13\x0f\xe0" + b"\0" * 13,
                     b"\x03\0\0\x13\x0e\xd0" + b"\0" * 13, b"\x03\1\0\x13\x0e\xe0" + b"\0" * 13,
                     b"\x02\0\0\x13\x0e\xe0" + b"\0" * 13, pdu(3, b"\xe0" * 4), b"\x03\0\0\0\0"):
            self.assertIsNone(self.dul.protocol_of(data), data)

    def test_cut_anywhere_and_with_any_length_inside_it_never_raises(self):
        for data, _ in TABLE:
            for length in range(len(data)):
                self.dul.protocol_of(data[:length])
                self.dul.is_proxy_header(data[:length])
        for data in (TABLE[11][0], TABLE[12][0]):
            for offset in range(5, len(data)):
                for value in (b"\0\0", b"\xff\xff", b"\0\1"):
                    self.dul.protocol_of(data[:offset] + value + data[offset + 2:])

    def test_hostile_bytes_end_the_line_and_long_lines_are_cut(self):
        self.assertEqual(self.dul.protocol_of(b"GET /a\x1b[31m HTTP/1.1\r\n"), "HTTP request (GET /a)" + WEB)
        self.assertEqual(self.dul.protocol_of(b"GET /\xff HTTP/1.1\r\n"), "HTTP request (GET /)" + WEB)
        self.assertEqual(self.dul.protocol_of(b"SSH-\0\n"), "SSH (SSH-): the peer is an SSH client")
        self.assertEqual(self.dul.protocol_of(b"GET /" + b"a" * 75), "HTTP request (GET /%s)%s" % ("a" * 75, WEB))
        for length in (76, 1000, 5000, 1000000):
            self.assertEqual(self.dul.protocol_of(b"GET /" + b"a" * length), "HTTP request (GET /%s ...)%s" % ("a" * 75, WEB))
        line = b"GET /" + b"a" * 3000 + b" RTSP/1.0\r\n"
        self.assertIn("HTTP request", self.dul.protocol_of(line))       # only so much of a line is looked at
        line = b"GET /%s RTSP/"
        self.assertIn("RTSP: ", self.dul.protocol_of(line.replace(b"%s", b"a" * (2000 - 11)) + b"1.0\r\n"))
        self.assertIn("HTTP request", self.dul.protocol_of(line.replace(b"%s", b"a" * (2001 - 11)) + b"1.0\r\n"))

    def test_a_real_client_hello_is_read(self):
        if not hasattr(ssl, "MemoryBIO"):
            raise unittest.SkipTest("this ssl module has no MemoryBIO; the made ones stand for it")
        outgoing = ssl.MemoryBIO()
        context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", None) or ssl.PROTOCOL_SSLv23)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="archive.hospital.example")
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        data = outgoing.read()
        self.assertEqual(struct.unpack(">H", data[3:5])[0], len(data) - 5)
        version = "TLS 1.3" if ssl.OPENSSL_VERSION_INFO >= (1, 1, 1) else "TLS 1.2"
        self.assertIn("(%s offered, SNI archive.hospital.example)" % version, self.dul.protocol_of(data))

    def test_a_proxy_header_with_nothing_behind_it_is_told_from_others(self):
        for data, due in ((b"PROXY UNKNOWN\r\n", True), (b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n", True),
                          (b"PROXY UNKNOWN\r", False), (b"PROXY UNKNOWN\r\n" + associate_rq(), False),
                          (b"PROXY UNKNOWN\r\n\r\n", False), (b"PROXYUNKNOWN\r\n", False), (b"xPROXY UNKNOWN\r\n", False),
                          (PROXY_V2 + b"\x20\0\0\0", True), (PROXY_V2 + b"\x21\x11\0\x0c" + b"\0" * 12, True),
                          (PROXY_V2 + b"\x21\x11\0\x0c" + b"\0" * 11, False), (PROXY_V2 + b"\x20\0\0\0x", False),
                          (PROXY_V2 + b"\x20\0\0", False), (PROXY_V2, False), (b"", False), (b"GET / HTTP/1.1\r\n", False)):
            self.assertEqual(self.dul.is_proxy_header(data), due, data)


class Explanation(object):
    """explanation()."""

    def error(self, data, opening):
        error = self.dul.InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "xx", "01H to 07H")
        error.data, error.opening = data, opening
        return error

    def test_what_opens_a_connection_is_explained_by_its_protocol(self):
        self.assertEqual(self.dul.explanation(self.error(b"SSH-2.0-x\r\n", True)), "SSH (SSH-2.0-x): the peer is an SSH client")

    def test_what_is_not_known_shows_its_first_bytes(self):
        for data, due in ((b"\x99\x98", "99 98"), (b"\x99abcd", "99 61 62 63 64"), (b"\x99abcde", "99 61 62 63 64 ...")):
            error = self.error(data, True)
            self.assertEqual(self.dul.explanation(error), "not DICOM: %s: %s" % (due, error))

    def test_a_broken_dicom_pdu_and_all_that_comes_later_is_explained_by_the_error_itself(self):
        for error in (self.error(b"\x01\0\0\0\0\0", True), self.error(b"SSH-2.0-x\r\n", False), self.error(b"", True),
                      self.error(b"\x99", False), self.dul.MessageError("SSH-"), self.dul.ConnectionLost("gone")):
            self.assertEqual(self.dul.explanation(error), str(error))


both_forms(Foreign)
both_forms(Explanation)

if __name__ == "__main__":
    unittest.main()
