"""Protocols that are not DICOM, told from their first bytes."""
import ssl
import struct
import unittest

from support import both_forms

CLIENT_HELLO = (  # TLS 1.2 and 1.3 offered, server name "pacs.example"
    b"\x16\x03\x01\x00\x59\x01\x00\x00\x55\x03\x03" + b"R" * 32 + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + b"\x00\x2a"
    + b"\x00\x00\x00\x11\x00\x0f\x00\x00\x0cpacs.example" + b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03"
    + b"\x00\x0d\x00\x04\x00\x02\x04\x03")
TABLE = [
    (CLIENT_HELLO, "TLS ClientHello (TLS 1.3 offered, SNI pacs.example): the peer speaks DICOM over TLS"),
    (b"\x16\x03\x00\x00\x05", "TLS ClientHello (SSL 3.0 offered): "),
    (b"\x80\x2e\x01\x00\x02\x00", "SSL 2 ClientHello"),
    (b"GET /index.html HTTP/1.1\r\nHost: x\r\n", "HTTP request (GET /index.html HTTP/1.1)"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP request (PRI * HTTP/2.0)"),
    (b"OPTIONS / RTSP/1.0\r\n", "HTTP request (OPTIONS / RTSP/1.0)"),
    (b"\x0bMSH|^~\\&|LAB\rPID|1\r\x1c\r", "HL7 version 2 message (MSH|^~\\\\&|LAB)"),
    (b"MSH|^~\\&|", "HL7 version 2 message"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH (SSH-2.0-OpenSSH_9.2p1)"),
    (b"\0\0\0\x85\xffSMBr\0", "SMB (version 1)"),
    (b"\0\0\0\xd0\xfeSMB@\0", "SMB (version 2 or 3)"),
    (b"\x03\x00\x00\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", "RDP connection request"),
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n", "PROXY protocol version 1 (PROXY TCP4 10.0.0.1 10.0.0.2 4711 104)"),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12, "PROXY protocol version 2"),
]


class Foreign(object):
    """protocol_of()."""

    def test_each_is_named(self):
        for data, words in TABLE:
            sentence = self.dul.protocol_of(data)
            self.assertIn(words, sentence)
            self.assertNotIn("\n", sentence)

    def test_what_is_known_of_nothing_is_not_guessed(self):
        for data in (b"", b"\0" * 20, b"\x01\0\0\0\0\xcd", b"\xff" * 40, b"hello", b"\x04\0\0\0\0\x4a"):
            self.assertIsNone(self.dul.protocol_of(data))

    def test_cut_anywhere_and_with_any_length_inside_it_never_raises(self):
        for data, _ in TABLE:
            for length in range(len(data)):
                self.dul.protocol_of(data[:length])
        for offset in range(5, len(CLIENT_HELLO)):
            for value in (b"\0\0", b"\xff\xff", b"\0\1"):
                self.dul.protocol_of(CLIENT_HELLO[:offset] + value + CLIENT_HELLO[offset + 2:])

    def test_hostile_bytes_are_escaped_and_long_lines_cut(self):
        sentence = self.dul.protocol_of(b"GET /\x1b[31m\x07\xff" + b"a" * 5000 + b"\r\n")
        self.assertIn("GET /\\x1b[31m\\x07\\xff", sentence)
        self.assertLess(len(sentence), 300)
        self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in sentence))

    def test_a_real_client_hello_is_read(self):
        if not hasattr(ssl, "MemoryBIO"):
            raise unittest.SkipTest("this ssl module has no MemoryBIO; the canned ClientHello stands for it")
        outgoing = ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="archive.hospital.example")
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        data = outgoing.read()
        self.assertEqual(struct.unpack(">H", data[3:5])[0], len(data) - 5)
        version = "TLS 1.3" if getattr(ssl, "HAS_TLSv1_3", False) else "TLS 1.2"
        self.assertIn("(%s offered, SNI archive.hospital.example)" % version, self.dul.protocol_of(data))


both_forms(Foreign)

if __name__ == "__main__":
    unittest.main()
