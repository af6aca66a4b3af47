"""What one peer can cost: processor time for each byte that it sends, and memory for each connection that it holds.

    python tests/worst.py               the numbers of docs/SECURITY.rst, for this host and this Python; Linux

Each shape is sent to the program as its user runs it, and what the kernel says of the process is read from /proc.
"""
from __future__ import print_function

import errno
import os
import platform
import resource
import select
import socket
import struct
import subprocess
import sys
import time

from process import free_port
from support import ONE_FILE, wait_until
from wire import VERIFICATION, associate_rq, command, context, echo_rq, element, item, pdu, us, user_information

MIB = 1024 * 1024
TICK = os.sysconf("SC_CLK_TCK")


class Server(object):
    """The program with its log thrown away, and what it costs."""

    def __init__(self, *arguments):
        self.port = free_port()
        with open(os.devnull, "wb") as nothing:
            self.process = subprocess.Popen([sys.executable, "-S", ONE_FILE, str(self.port)] + list(arguments),
                                            stdout=nothing, stderr=nothing)
        wait_until(self.listens, "it listens")
        time.sleep(0.3)

    def listens(self):
        """Whether it accepts."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except socket.error:
            return False

    def processor(self):
        """Seconds of processor time so far."""
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / float(TICK)

    def memory(self, name="VmRSS"):
        """Bytes of memory in use now, or at most (VmHWM)."""
        with open("/proc/%d/status" % self.process.pid) as status:
            return [int(line.split()[1]) * 1024 for line in status if line.startswith(name)][0]

    def connect(self, data=b""):
        """A connection on which these bytes were sent."""
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        sock.sendall(data)
        return sock

    def end(self):
        """Kill it."""
        self.process.kill()
        self.process.wait()


def request(body):
    """An A-ASSOCIATE-RQ of about 1 MiB: the usual one, then ``body`` as often as fits."""
    plain = associate_rq()
    return associate_rq(extra=body * ((MIB - len(plain)) // len(body)))


def many_uids():
    """128 contexts of 75 UIDs of 64 digits: close to the limit of items."""
    return associate_rq([context(2 * n + 1, b"1" * 64, [b"1." + b"0" * 62] * 75)
                         for n in range(128)])


def distinct_uids():
    """The same with a different UID each time: nothing of it can be shortened in a log line."""
    return associate_rq([context(2 * n + 1, ("1.2.%d" % n).encode("ascii"), [
        ("1.3.%d.%d" % (n, m)).encode("ascii") for m in range(75)]) for n in range(128)])


def p_data(fragments, control=1):
    """A P-DATA-TF."""
    return pdu(4, b"".join([struct.pack(">IBB", len(each) + 2, 1, control) + each for each in fragments]))


SMALLEST = command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x0101)), length=None)
RQ = associate_rq()
# (name, what is sent on one connection)
SHAPES = (
    ("A-ASSOCIATE-RQ of 1 MiB, unknown items of 100 bytes (ends at 10001)", request(item(0x99, b"x" * 96))),
    ("A-ASSOCIATE-RQ of 1 MiB, empty items (ends at item 10001)", request(item(0x99, b""))),
    ("A-ASSOCIATE-RQ of 1 MiB, UIDs of 65000 bytes", request(item(0x10, b"1" * 65000))),
    ("A-ASSOCIATE-RQ, 128 contexts of 75 long UIDs", many_uids()),
    ("A-ASSOCIATE-RQ, 128 contexts of 75 different UIDs", distinct_uids()),
    ("A-ASSOCIATE-RQ, 8000 role selections", associate_rq(
        user=item(0x50, b"".join([item(0x54, b"\0\0\0\0")] * 8000)))),
    ("A-ASSOCIATE-RQ, 9000 extended negotiations", associate_rq(
        user=b"".join([user_information(*[item(0x56, struct.pack(">H", 17) + VERIFICATION)] * 600)] * 15))),
    ("the usual A-ASSOCIATE-RQ alone, %d bytes" % len(RQ), RQ),
    ("usual C-ECHO-RQs", RQ + echo_rq(1) * 5000),
    ("smallest C-ECHO-RQs, one a PDU", RQ + p_data([SMALLEST], 3) * 5000),
    ("smallest C-ECHO-RQs, 450 a PDU", RQ + p_data([SMALLEST] * 450, 3) * 10),
    ("command set in empty fragments", RQ + p_data([b""] * 2700) * 12),
    ("command set in fragments of 2 bytes, one a PDU", RQ + p_data([b"\0\0"]) * 32000),
    ("six bytes that are not DICOM", b"\x99" * 6),
    ("after an error: 1 MiB of anything", b"\x16\x03\x01\0\0\0" + b"\x07\0" * (MIB // 2)),
    ("P-DATA-TF where an A-ASSOCIATE-RQ is due", p_data([b""] * 2700) * 60),
)


def send(server, data):
    """Send on a connection of its own, read what comes, and wait for the end of it."""
    sock = server.connect()
    sock.setblocking(False)
    view, end, shut = memoryview(data), time.time() + 60, False
    while time.time() < end:
        readable, writable, _ = select.select([sock], [sock] if len(view) else [], [], 5)
        try:
            if readable and not sock.recv(65536):
                break
            if writable:
                view = view[sock.send(view[:65536]):]
        except socket.error as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                continue
            break
        if not len(view) and not shut:
            sock.shutdown(socket.SHUT_WR)
            shut = True
    sock.close()


def costs(*arguments):
    """{name: (microseconds of processor time a byte, milliseconds a connection, bytes)}."""
    found = {}
    for name, data in SHAPES:
        server = Server(*arguments)
        send(server, data)      # what is done once
        before, times, begun = server.processor(), 0, time.time()
        while times < 3 or (server.processor() - before < 0.5 and time.time() - begun < 8):
            send(server, data)
            times += 1
        time.sleep(0.5)
        used = (server.processor() - before) / times
        found[name] = (used * 1e6 / len(data), used * 1e3, len(data))
        server.end()
    return found


def held(data, count, *arguments):
    """Bytes of memory for each of so many connections that send this and then nothing more."""
    server = Server(*arguments)
    before = server.memory()
    socks = [server.connect(data) for _ in range(count)]
    last = -1
    while server.memory() != last:
        last = server.memory()
        time.sleep(1.0)
    each = (server.memory() - before) / float(count)
    for sock in socks:
        sock.close()
    server.end()
    return each


def peak(data, *arguments):
    """Bytes of memory at most, above those at rest, for one connection."""
    server = Server(*arguments)
    before = server.memory()
    send(server, data)
    used = server.memory("VmHWM") - before
    server.end()
    return used


def main():
    """Measure and print."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("%s %s, %s" % (platform.python_implementation(), platform.python_version(), platform.platform()))
    server = Server()
    print("at rest %.1f MB" % (server.memory() / 1e6))
    server.end()
    plain, debug = costs(), costs("-d")
    for name, _ in SHAPES:
        print("%-68s %8d bytes  %7.3f us/byte %8.1f ms   -d %7.3f us/byte %8.1f ms" % (
            name, plain[name][2], plain[name][0], plain[name][1], debug[name][0], debug[name][1]))
    many = associate_rq([context(2 * n + 1) for n in range(128)])
    for name, data, count in (
            ("nothing", b"", 300), ("an association", RQ, 300), ("an association of 128 contexts", many, 300),
            ("1 MiB less a byte of an A-ASSOCIATE-RQ", request(item(0x99, b"x" * 96))[:-1], 40),
            ("an unfinished command set of 64 KiB", RQ + p_data([b"\0" * 16000]) * 4, 40),
            ("the same in fragments of 2 bytes", RQ + p_data([b"\0\0"] * 2000) * 16, 40)):
        print("%-60s %8.1f kB each" % (name, held(data, count) / 1e3))
    for name, data in SHAPES[:7]:
        print("%-60s %8.1f MB at most, -d %.1f MB" % (name, peak(data) / 1e6, peak(data, "-d") / 1e6))


if __name__ == "__main__":
    main()
