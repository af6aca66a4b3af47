#!/usr/bin/env python
"""probe.py HOST PORT: associate, C-ECHO, release. One line, and the exit status that Nagios wants.

0: it answers, 2: it does not, 3: the arguments are wrong.

Kubernetes: livenessProbe: {exec: {command: [python3, /opt/echoscp/probe.py, localhost, "11112"]}, timeoutSeconds: 20}
"""
import binascii
import socket
import struct
import sys

A_ASSOCIATE_RQ = (      # called ECHOSCP, calling HEALTHCHECK, context 1: Verification in implicit VR little endian
    "0100000000ca 00010000 4543484f534350202020202020202020 4845414c5448434845434b2020202020" + "00" * 32 +
    "10000015 312e322e3834302e31303030382e332e312e312e31 2000002e 01000000 30000011 312e322e3834302e31303030382e312e31"
    "40000011 312e322e3834302e31303030382e312e32 50000037 51000004 00004000"
    "5200002b 322e32352e3737373835333031343038323133383933303034383739313632353830393337333331323938")
C_ECHO_RQ = (           # Message ID 1
    "04000000004a 00000046 01 03 0000000004000000 38000000 0000020012000000 312e322e3834302e31303030382e312e3100"
    "0000000102000000 3000 0000100102000000 0100 0000000802000000 0101")
ECHOED = "000020010200000001000000000802000000010100000009020000000000"    # Message ID 1, no data set, status 0000H
A_RELEASE_RQ = "05000000000400000000"

if len(sys.argv) != 3:
    print(__doc__.splitlines()[0])
    sys.exit(3)
try:
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    stream = sock.makefile("rb")
    for request, answer, pdu_type, inside in (
            (A_ASSOCIATE_RQ, "A-ASSOCIATE-AC", b"\x02", "2100001901000000"),   # context 1 accepted
            (C_ECHO_RQ, "P-DATA-TF", b"\x04", ECHOED), (A_RELEASE_RQ, "A-RELEASE-RP", b"\x06", "")):
        sock.sendall(binascii.unhexlify(request.replace(" ", "").encode()))
        head = stream.read(6)
        if len(head) < 6 or head[:1] != pdu_type:
            raise ValueError("%r is no %s" % (head, answer))
        if binascii.unhexlify(inside.encode()) not in stream.read(struct.unpack(">I", head[2:])[0]):
            raise ValueError("%s without %s" % (answer, inside))
except Exception:
    print("CRITICAL: no C-ECHO from %s port %s: %s" % (sys.argv[1], sys.argv[2], sys.exc_info()[1]))
    sys.exit(2)
print("OK: C-ECHO from %s port %s" % (sys.argv[1], sys.argv[2]))
