"""When the echo fails, say why: each explanation, with the real thing that causes it."""
import os
import re
import socket
import subprocess
import sys
import unittest

from process import POSIX, Program
from support import as_program, skip_in_wine, skip_loudly
from test_real_peers import call, found, need
from wire import (
    CT_IMAGE, RELEASE_RQ, VERIFICATION, Peer, abort, associate_rq, context, echo_command, echo_rq, p_data, pdu,
    pdv, reject)

PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"
# What is sent first, words of the one line. No program is given more than ten: further ones are only counted.
CANNED = [
    (b"\x0bMSH|^~\\&|LAB|HOSPITAL|||20260101||ORU^R01|1|P|2.5\r\x1c\r", "HL7 version 2 message (MSH|...): "),
    (b"\0\0\0\x85\xffSMBr\0\0\0\0", "SMB (version 1): the peer looks for Windows file shares"),
    (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0", "RDP connection request: "),
    (b"OPTIONS rtsp://192.0.2.1/stream RTSP/1.0\r\nCSeq: 1\r\n\r\n",
     "RTSP: the peer is a video client or a port scanner"),
    (b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n", "SIP: the peer is a telephone or a port scanner"),
    (b"USER anonymous\r\n", "FTP: the peer is a file transfer client"),
    (b"EHLO client.example\r\n", "SMTP: the peer is a mail client"),
    (b"\x9f\x86\xd0\x81\x88\x4c", "not DICOM: 9f 86 d0 81 88"),
]
PROXIES = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 104\r\n" + associate_rq(),
     "PROXY protocol version 1 (PROXY TCP4 192.0.2.1"),
    (PROXY_V2 + b"\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\xdc\4\0\x68" + associate_rq(), "PROXY protocol version 2: "),
]
CHECKS = [      # a load balancer's own health checks
    (b"PROXY UNKNOWN\r\n", "PROXY protocol version 1 (PROXY UNKNOWN): "),
    (PROXY_V2 + b"\x20\0\0\0", "PROXY protocol version 2: "),
]


class Explanations(object):
    """One line at warning, after the manual's lines, with the peer's address."""

    def explained(self, program, words, before=("I: Aborting Association",), level="W"):
        """The program has logged the lines of ``before``, then one explanation with ``words``, and nothing else."""
        program.saw("%s: 127.0.0.1:" % level)
        lines = program.err.splitlines()
        self.assertEqual(tuple(lines[:-1]), before, lines)
        self.assertTrue(re.match(r"%s: 127\.0\.0\.1:\d+: " % level, lines[-1]), lines)
        self.assertIn(words, lines[-1])
        program.forget()

    def test_a_real_tls_client(self):
        try:
            import ssl
        except ImportError:
            skip_loudly("this Python has no ssl")
        if not hasattr(ssl, "create_default_context"):
            skip_loudly("this ssl module has no contexts")
        program = Program(self, "-v")
        context_of_client = ssl.create_default_context()
        raw = socket.create_connection(program.address, 20)
        try:
            with self.assertRaises((ssl.SSLError, socket.error)):
                context_of_client.wrap_socket(raw, server_hostname="archive.hospital.example")
        finally:
            raw.close()
        self.explained(program, "SNI archive.hospital.example): the peer speaks DICOM over TLS, this port does not")

    def test_a_real_web_client(self):
        need("curl")
        program = Program(self, "-v")
        call("curl", "-s", "-m", "5", "http://127.0.0.1:%d/dicom-web/studies" % program.port)
        self.explained(program, "HTTP request (GET /dicom-web/studies HTTP/1.1): the peer is a browser")

    def test_a_real_ssh_client(self):
        need("ssh")
        program = Program(self, "-v")
        call("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
             "ConnectTimeout=5", "-p", str(program.port), "nobody@127.0.0.1", stdin=subprocess.PIPE)
        self.explained(program, "SSH (SSH-2.0-")

    def test_other_protocols_by_their_first_bytes(self):
        for rows in (CANNED, PROXIES):
            program = Program(self, "-v")
            for data, words in rows:
                with Peer(program.address) as peer:
                    self.assertEqual(peer.send(data).finish(), abort(0, 0))
                self.explained(program, words)

    def test_the_health_check_of_a_load_balancer_is_no_warning(self):
        program = Program(self, "-v")
        for data, words in CHECKS:
            with Peer(program.address) as peer:
                self.assertEqual(peer.send(data).finish(), abort(0, 0))
            self.explained(program, words, level="I")

    def test_another_service_no_syntax_in_common_another_command(self):
        program = Program(self, "-v")
        received = ("I: Association Received", "I: Association Accepted", "I: Aborting Association")
        rows = [(associate_rq([context(n, CT_IMAGE) for n in (1, 3, 5)]), "proposed 3 contexts, no Verification: "),
                (associate_rq([context(1, VERIFICATION, (b"1.2.840.10008.1.2.4.70",))]),
                 "proposed 1 context, Verification with no transfer syntax that is taken here: "),
                (associate_rq() + p_data(pdv(echo_command(field=1))), "C-STORE-RQ on Verification")]
        for data, words in rows:
            with Peer(program.address) as peer:
                peer.send(data).finish()
            self.explained(program, words, received)

    def test_broken_dicom_with_its_bytes_at_debug(self):
        program = Program(self, "-d")
        data = associate_rq()
        with Peer(program.address) as peer:
            peer.send(data[:76] + b"\x12\x34" + data[78:]).finish()
        program.saw("END INVALID PDU")
        lines = program.err.splitlines()
        at = [number for number, line in enumerate(lines) if line.startswith("W: ")]
        self.assertEqual(len(at), 1)
        self.assertTrue(lines[at[0]].endswith("A-ASSOCIATE-RQ: Item-length of item 10H in A-ASSOCIATE-RQ at byte 76 is "
                                              "4660, due: at most 94 (PS3.8 9.3.2)"))
        self.assertEqual(lines[at[0] - 1], "I: Aborting Association")
        self.assertEqual(lines[at[0] + 1], "D: ====================== BEGIN INVALID PDU =============================")
        self.assertIn("D: 004a  10 00 12 34", lines[at[0] + 2:lines.index(
            "D: ======================= END INVALID PDU ==============================")])

    def test_slow_and_gone(self):
        program = Program(self, "-v -ta 1")
        with Peer(program.address) as peer:
            peer.send(associate_rq()[:22]).read(1)
        self.explained(program, "timeout: 22 of 172 bytes of A-ASSOCIATE-RQ in 1 s (-ta) in Sta2 (", ())
        with Peer(program.address) as peer:
            peer.associate()
            program.saw("Accepted")
            peer.send(echo_rq()[:40]).finish()
        self.explained(program,
                       "connection closed by the peer in Sta6 (association established, ready for data transfer), "
                       "after 40 of 80 bytes of P-DATA-TF",
                       ("I: Association Received", "I: Association Accepted"))
        skip_in_wine("makes an end of a reset")
        peer = Peer(program.address)
        peer.associate()
        peer.reset()
        self.explained(program, "onnection reset by peer in Sta6 (" if POSIX else "connection lost: ",
                       ("I: Association Received", "I: Association Accepted"))

    def test_the_other_sides_words(self):
        program = Program(self, "-v")
        with Peer(program.address) as peer:
            peer.associate()
            peer.send(abort(2, 5)).rest()
        self.explained(program,
                       "A-ABORT from the peer: source 2: DICOM UL service-provider, reason 5: unexpected-PDU parameter",
                       ("I: Association Received", "I: Association Accepted", "I: Association Aborted"))
        with Peer(program.address) as peer:
            peer.send(pdu(3, b"\0\1\1\7")).finish()
        self.explained(program, "A-ASSOCIATE-RJ in Sta2 (")

    def test_rejects_and_their_reasons(self):
        program = Program(self, "-v")
        for request, answer, words in (
                (associate_rq(version=0), reject(1, 2, 2), "protocol-version-not-supported"),
                (associate_rq(application=b"1.2.3"), reject(1, 1, 2), "application-context-name-not-supported")):
            with Peer(program.address) as peer:
                self.assertEqual(peer.send(request).finish(), answer)
            self.explained(program, words, ("I: Association Received", "I: Association Rejected"))

    def test_a_peer_that_is_unplugged(self):
        """Its packets are dropped in a network namespace: nothing arrives any more, and -td ends it."""
        if not found("ip") or not hasattr(os, "getuid") or os.getuid() != 0:
            skip_loudly("no network namespace can be made here: ip is missing, or this is not root")
        mark = "%d%s" % (os.getpid(), self.dul.FORM[0])     # a namespace takes a moment to be gone
        name, here = "echoscp" + mark, "es" + mark
        script = ("import sys; sys.path.insert(0, %r)\nfrom wire import Peer\n"
                  "peer = Peer(('198.18.7.1', int(sys.argv[1])))\npeer.associate()\nprint('up')\nsys.stdout.flush()\n"
                  "sys.stdin.read()\n" % os.path.dirname(os.path.abspath(__file__)))

        def ip(*arguments):
            return call("ip", *arguments)
        if ip("netns", "add", name)[0] != 0:
            skip_loudly("no network namespace can be made here")
        self.addCleanup(ip, "netns", "del", name)
        for command in ("link add %s type veth peer name there netns %s" % (here, name),
                        "addr add 198.18.7.1/30 dev %s" % here, "link set %s up" % here,
                        "-n %s addr add 198.18.7.2/30 dev there" % name, "-n %s link set there up" % name):
            status, printed = ip(*command.split())
            if status != 0:
                skip_loudly("no network namespace can be used here: %s" % printed)
        program = Program(self, "-v -td 1", own=True)

        peer = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", script, str(program.port)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(peer.stdout.readline().strip(), b"up")
            ip("link", "set", here, "down")
            program.saw("timeout: nothing in 1 s (-td) in Sta6 (association established, ready for data transfer)")
            self.assertEqual(program.err.count("W: "), 1)
            with Peer(program.address) as other:
                self.assertEqual(other.associate()[:1], b"\x02")
                other.send(RELEASE_RQ).pdu()
        finally:
            peer.stdin.close()
            peer.kill()
            peer.wait()
            peer.stdout.close()


as_program(Explanations)

if __name__ == "__main__":
    unittest.main()
