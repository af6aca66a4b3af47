"""Real peers: every DICOM toolkit at hand sends its echo, and an independent dissector reads what went over the wire.

A peer that is not installed is skipped, loudly. Programs are found on PATH; pynetdicom and pynetdicom2 where this
interpreter has them; dcmjs-dimse where node finds it (NODE_PATH).
"""
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

from process import Program, folder
from support import as_program, skip_loudly, wait_until

GOOD = ["I: Association Received", "I: Association Accepted", "I: Received Echo Request", "I: Association Released"]
PATIENCE = 60       # seconds that a peer may take; Java needs some

PYNETDICOM2 = """
import sys
from pynetdicom2 import applicationentity, sopclass
ae = applicationentity.ClientAE('ME').add_scu(sopclass.verification_scu)
with ae.request_association({'address': '127.0.0.1', 'port': int(sys.argv[1]), 'aet': 'ECHOSCP'}) as association:
    status = int(association.get_scu('1.2.840.10008.1.1')(1))
sys.exit(status)
"""
DCMJS = """
const { Client, requests } = require('dcmjs-dimse');
const client = new Client();
const request = new requests.CEchoRequest();
let status = 1;
request.on('response', (response) => { status = response.getStatus(); });
client.addRequest(request);
client.on('networkError', () => process.exit(2));
client.on('closed', () => process.exit(status));
client.send('127.0.0.1', parseInt(process.argv[1]), 'ME', 'ECHOSCP');
"""


def found(program):
    """Whether a program is on PATH (shutil.which is not there on Python 2.7)."""
    return any(os.access(os.path.join(path, program), os.X_OK) for path in os.environ.get("PATH", "").split(os.pathsep))


def need(*programs):
    """Skip unless all are there."""
    for program in programs:
        if not found(program):
            skip_loudly("%s is not installed" % program)


def need_module(name):
    """Skip unless this interpreter has the module."""
    try:
        __import__(name)
    except ImportError:
        skip_loudly("this Python has no %s" % name)


def call(*command, **options):
    """(exit status, what it printed)."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        printed = process.communicate()[0].decode("utf-8", "replace")
    finally:
        timer.cancel()
    return process.returncode, printed


class Toolkits(object):
    """Each against the program with -v."""

    def setUp(self):
        self.program = None

    def start(self, arguments="-v"):
        self.program = Program(self, arguments)
        return str(self.program.port)

    def served(self, echoes=1, due=None):
        """The lines of one good association, whatever the Message IDs."""
        self.program.saw("I: Association Released")
        due = due or GOOD[:2] + GOOD[2:3] * echoes + GOOD[3:]
        self.assertEqual([re.sub(r" \(MsgID \d+\)$", "", line) for line in self.program.err.splitlines()], due)

    def echoes(self, *command, **options):
        status, printed = call(*command)
        self.assertEqual(status, 0, printed)
        self.served(options.get("count", 1))

    def test_dcmtk_echoscu(self):
        need("echoscu")
        for arguments, count in (((), 1), (("-pts", "28"), 1), (("-ppc", "128"), 1), (("--repeat", "200"), 200),
                                 (("-pdu", "4096"), 1), (("-aec", "ANY", "-aet", "MODALITY"), 1)):
            self.echoes("echoscu", *(arguments + ("127.0.0.1", self.start())), count=count)

    def test_dcmtk_echoscu_that_aborts(self):
        need("echoscu")
        status, printed = call("echoscu", "--abort", "127.0.0.1", self.start())
        self.assertEqual(status, 0, printed)
        self.program.saw("A-ABORT from the peer: source 0: DICOM UL service-user")
        self.assertEqual(self.program.err.splitlines()[:-1], GOOD[:2] + ["I: Received Echo Request (MsgID 1)",
                                                                         "I: Association Aborted"])

    def test_dcmtk_storescu_and_findscu_are_refused_as_the_manual_shows(self):
        need("storescu", "findscu")
        path = os.path.join(folder(self), "empty.dcm")
        with open(path, "wb") as target:
            target.write(b"\0" * 128 + b"DICM" + b"\x02\0\x00\0UL\4\0\0\0\0\0")
        for command in (("storescu", "127.0.0.1", "PORT", path),
                        ("findscu", "-W", "-k", "0010,0010=", "127.0.0.1", "PORT")):
            port = self.start()
            status, printed = call(*[port if word == "PORT" else word for word in command])
            self.assertNotEqual(status, 0)
            self.program.saw("this is an echo server")
            lines = self.program.err.splitlines()
            self.assertEqual(lines[:-1], GOOD[:2] + ["I: Aborting Association"])
            self.assertTrue(re.match(r"W: 127\.0\.0\.1:\d+: proposed \d+ contexts?, no Verification: .*: this is an "
                                     r"echo server$", lines[-1]), lines)

    def test_pynetdicom_echoscu_with_each_of_its_syntax_options(self):
        need_module("pynetdicom")
        for options in ((), ("-xe",), ("-xb",), ("-xi",)):
            self.echoes(sys.executable, "-m", "pynetdicom", "echoscu", "127.0.0.1", self.start(), *options)

    def test_pynetdicom_takes_what_each_of_our_syntax_options_accepts(self):
        need_module("pynetdicom")
        from pynetdicom import AE
        implicit, little, big = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
        native, other = (little, big) if sys.byteorder == "little" else (big, little)
        for option, due in (("-x=", native), ("-xe", little), ("-xb", big), ("-xi", implicit)):
            ae = AE()
            ae.add_requested_context("1.2.840.10008.1.1", [implicit, other, native])
            association = ae.associate("127.0.0.1", int(self.start(option)))
            self.assertTrue(association.is_established)
            self.assertEqual([str(each.transfer_syntax[0]) for each in association.accepted_contexts], [due])
            self.assertEqual(association.send_c_echo().Status, 0)
            association.release()

    def test_pynetdicom2(self):
        need_module("pynetdicom2")
        self.echoes(sys.executable, "-c", PYNETDICOM2, self.start())

    def test_odil(self):
        need("odil")
        self.echoes("odil", "echo", "127.0.0.1", self.start(), "ME", "ECHOSCP")

    def test_ctn_dicom_echo(self):
        need("dicom_echo")
        self.echoes("dicom_echo", "127.0.0.1", self.start())

    def test_pixelmed(self):
        need("VerificationSOPClassSCU")
        status, printed = call("VerificationSOPClassSCU", "127.0.0.1", self.start(), "ECHOSCP", "ME", "NONSECURE")
        self.assertEqual(status, 0, printed)
        self.served()

    def test_dcmjs_dimse(self):
        need("node")
        if call("node", "-e", "require('dcmjs-dimse')")[0] != 0:
            skip_loudly("node finds no dcmjs-dimse")
        self.echoes("node", "-e", DCMJS, self.start())


class Dissector(object):
    """tshark, over a capture of all of them."""

    def test_nothing_is_malformed_or_unexpected(self):
        need("tshark")
        if hasattr(os, "getuid") and os.getuid() != 0:
            skip_loudly("only root can capture packets")
        program = Program(self)
        port, path = str(program.port), os.path.join(folder(self), "capture.pcap")
        capture = subprocess.Popen(
            ["tshark", "-i", "lo", "-f", "tcp port " + port, "-w", path, "-P", "-l"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(capture.stderr.close)
        self.addCleanup(capture.stdout.close)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(iter(capture.stdout.readline, b"")))
        reader.daemon = True
        while b"Capturing on" not in capture.stderr.readline():
            self.assertIsNone(capture.poll())
        reader.start()

        def captured():
            """The capture has begun when a probe of ours is in it."""
            socket.create_connection(("127.0.0.1", int(port)), 5).close()
            return seen
        wait_until(captured, "packets are captured")
        commands = [("echoscu", "127.0.0.1", port), ("echoscu", "-ppc", "128", "127.0.0.1", port),
                    ("findscu", "-W", "-k", "0010,0010=", "127.0.0.1", port),
                    ("odil", "echo", "127.0.0.1", port, "A", "B"),
                    ("dicom_echo", "127.0.0.1", port),
                    ("VerificationSOPClassSCU", "127.0.0.1", port, "ECHOSCP", "ME", "NONSECURE"),
                    (sys.executable, "-m", "pynetdicom", "echoscu", "127.0.0.1", port),
                    (sys.executable, "-c", PYNETDICOM2, port), ("node", "-e", DCMJS, port)]
        for command in commands:
            if os.path.sep in command[0] or found(command[0]):
                call(*command)
        count = len(seen)
        wait_until(lambda: any(b"FIN" in line for line in seen[-20:]) or len(seen) > count,
                   "the last packets are captured")
        capture.send_signal(2)
        capture.wait()
        reader.join(10)

        def dissect(wanted, *more):
            status, printed = call("tshark", "-r", path, "-d", "tcp.port==%s,dicom" % port, "-Y", wanted, *more,
                                   stdin=subprocess.PIPE)
            return [line for line in printed.splitlines() if "Running as user" not in line]
        self.assertTrue(dissect("dicom.pdu.type == 2"))
        self.assertTrue(dissect("dicom.pdu.type == 4"))
        self.assertEqual(dissect("_ws.malformed"), [])
        self.assertEqual(dissect("dicom && _ws.expert.severity >= 0x600000 && !(dicom.pdu.type == 7)"), [])


as_program(Toolkits)
as_program(Dissector)

if __name__ == "__main__":
    unittest.main()
