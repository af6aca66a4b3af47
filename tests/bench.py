"""Measures this server against its floor and against others, in comparable rows of one run.

    python tests/bench.py [--seconds S] [--rounds N] [--held N] [--rst] [NAME=COMMAND ...]

Without names: the floor first and last, echoscp, and of pynetdicom, DCMTK's storescp and dcmjs-dimse those that are
installed. In a COMMAND, {} is the port. Machines are noisy: only ratios within one run mean anything. The load comes from
bench_load.c where a C compiler is there, else from Python processes, which say so and are slower than a fast server.
"""
from __future__ import print_function

import os
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from process import accepts, free_port
from support import ONE_FILE, TESTS, monotonic, wait_until
from wire import IMPLICIT, LITTLE, BIG, RELEASE_RQ, Peer, associate_rq, context, echo_rq, user_information

REQUEST = associate_rq([context(1, transfers=(IMPLICIT, LITTLE, BIG))], user_information(), calling=b"BENCH")
ROWS = [("associations/s, 1 client", "assoc", 1), ("associations/s, 16 clients", "assoc", 16),
        ("associations/s, 64 clients", "assoc", 64), ("echoes/s, 1 client", "echo", 1),
        ("echoes/s, 16 clients", "echo", 16)]
STARTS = 9          # of which the median counts
REST = 1.0          # seconds after which a start is over, and what it needed is given back
DCMJS = """
const { Dcmjs, Server, Scp, responses, association, constants, log } = require('dcmjs-dimse');
log.level = 'error';
class Echo extends Scp {
  associationRequested(a) {
    a.getPresentationContexts().forEach((c) => {
      const context = a.getPresentationContext(c.id);
      if (context.getAbstractSyntaxUid() === constants.SopClass.Verification) {
        context.setResult(constants.PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
      } else {
        context.setResult(constants.PresentationContextResult.RejectAbstractSyntaxNotSupported);
      }
    });
    this.sendAssociationAccept();
  }
  cEchoRequest(request, callback) {
    const response = responses.CEchoResponse.fromRequest(request);
    response.setStatus(constants.Status.Success);
    callback(response);
  }
  associationReleaseRequested() { this.sendAssociationReleaseResponse(); }
}
new Server(Echo).listen(parseInt(process.argv[1]));
"""


def python_load(port, mode, clients, seconds):
    """What bench_load does, in this process: (per second, median ms, 99th percentile ms, failures)."""
    times, failures, start = [], [], monotonic()

    def client():
        try:
            while True:
                since = monotonic()
                with Peer(("127.0.0.1", port)) as peer:
                    peer.send(REQUEST).pdu()
                    while True:
                        since = monotonic() if mode == "echo" else since
                        if peer.send(echo_rq()).pdu()[:1] != b"\x04":
                            raise socket.error("no answer")
                        if mode != "echo":
                            peer.send(RELEASE_RQ).pdu()
                            break
                        times.append(monotonic() - since)
                        if monotonic() - start > seconds:
                            return
                times.append(monotonic() - since)
                if monotonic() - start > seconds:
                    return
        except EnvironmentError as error:
            failures.append(error)
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return (len(times) / (monotonic() - start), times[len(times) // 2] * 1e3 if times else 0,
            times[int((len(times) - 1) * 0.99)] * 1e3 if times else 0, len(failures))


class Generator(object):
    """bench_load, compiled, or what stands in for it."""

    def __init__(self, folder, compiled=True):
        self.program = os.path.join(folder, "bench_load")
        try:
            if not compiled:
                raise OSError("not wanted")
            subprocess.check_call(["cc", "-O2", "-o", self.program, os.path.join(TESTS, "bench_load.c")])
        except (OSError, subprocess.CalledProcessError):
            self.program = None

    def run(self, port, mode, clients, seconds):
        """(per second, median ms, 99th percentile ms, failures); with ``hold``, how many were answered comes first."""
        if self.program is None:
            return python_load(port, mode, clients, seconds) if mode != "hold" else (0, 0, 0, 0)
        process = subprocess.Popen([self.program, str(port), mode, str(clients), str(seconds)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        data = b"".join([struct.pack(">I", len(each)) + each for each in (REQUEST, echo_rq(), RELEASE_RQ)])
        words = process.communicate(data)[0].split()
        return float(words[0]), float(words[1]), float(words[2]), int(words[3])


def start(command, port):
    """A server process that listens: (process, seconds from exec until it accepted)."""
    since = monotonic()
    with open(os.devnull, "r+b") as nowhere:
        process = subprocess.Popen([word.replace("{}", str(port)) for word in command], stdin=nowhere, stdout=nowhere,
                                   stderr=nowhere)
    wait_until(lambda: process.poll() is not None or accepts(port), "it listens")
    return process, monotonic() - since


def stop(process):
    """The end of it."""
    process.kill()
    process.wait()


def memory(pid):
    """Resident memory in kB; None where the system does not tell."""
    try:
        with open("/proc/%d/status" % pid) as status:
            return [int(line.split()[1]) for line in status if line.startswith("VmRSS")][0]
    except (EnvironmentError, IndexError):
        return None


def idle_memory(pid):
    """Resident memory in kB, when the start is over; None where the system does not tell."""
    threading.Event().wait(REST)
    return memory(pid)


def measure(command, generator, seconds, held):
    """{row: figure} of one server."""
    figures, starts = {}, []
    for _ in range(STARTS):
        process, took = start(command, free_port())
        starts.append(took)
        stop(process)
    figures["start, ms"] = sorted(starts)[STARTS // 2] * 1e3
    port = free_port()
    process, _ = start(command, port)
    try:
        idle = idle_memory(process.pid)
        failures = 0
        for name, mode, clients in ROWS:
            figures[name], _, late, failed = generator.run(port, mode, clients, seconds)
            failures += failed
            if (mode, clients) == ("assoc", 16):
                figures["99th percentile of an association, 16 clients, ms"] = late
        figures["failures"] = failures
        if idle:
            figures["memory idle, MB"] = idle / 1024.0
    finally:
        stop(process)
    if generator.program and idle and held:
        port = free_port()
        process, _ = start(command, port)
        try:
            before = idle_memory(process.pid)
            load = subprocess.Popen([generator.program, str(port), "hold", str(held), str(seconds + 2)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            peak = [before]

            def watched():
                peak.append(memory(process.pid) or 0)
                return load.poll() is not None
            load.stdin.write(b"".join([struct.pack(">I", len(each)) + each for each in (REQUEST, echo_rq(), RELEASE_RQ)]))
            load.stdin.close()
            wait_until(watched, "they are answered", seconds + 120)
            words = load.stdout.read().split()
            load.stdout.close()
            figures["answered of %d held at once" % held] = float(words[0])
            if float(words[0]):
                figures["99th percentile of their echoes, all at the same instant, ms"] = float(words[2])
            figures["memory of each of them, kB"] = (max(peak) - before) / float(held)
        finally:
            stop(process)
    return figures


def servers():
    """[(name, command)] of what is here: the floor first and last."""
    floor = [sys.executable, os.path.join(TESTS, "bench_floor.py"), "{}"]
    found = [("floor", floor), ("echoscp", [sys.executable, ONE_FILE, "{}"])]
    others = [("dcmjs-dimse", ["node", "-e", "require('dcmjs-dimse')"], ["node", "-e", DCMJS, "{}"]),
              ("DCMTK storescp", ["storescp", "--version"], ["storescp", "{}"]),
              ("pynetdicom echoscp", [sys.executable, "-c", "import pynetdicom"],
               [sys.executable, "-m", "pynetdicom", "echoscp", "{}"])]
    for name, test, command in others:
        try:
            with open(os.devnull, "r+b") as nowhere:
                if subprocess.call(test, stdout=nowhere, stderr=nowhere) == 0:
                    found.append((name, command))
        except OSError:
            pass
    return found + [("floor again", floor)]


def table(results, rst):
    """The rows: each figure, and its ratio to the mean of the floors."""
    names = [name for name, _ in results]
    rows = []
    for _, figures in results:
        for row in figures:
            if row not in rows:
                rows.append(row)
    floors = [figures for name, figures in results if name.startswith("floor")]
    cells = [[""] + names]
    for row in rows:
        base = [figures[row] for figures in floors if row in figures]
        mean = sum(base) / len(base) if base else 0
        line = [row]
        for _, figures in results:
            if row not in figures:
                line.append("-")
            else:
                text = "%.0f" % figures[row] if figures[row] >= 100 else "%.1f" % figures[row]
                line.append("%s (%.2f)" % (text, figures[row] / mean) if mean and row != "failures" else text)
        cells.append(line)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    rule = " ".join(["=" * width for width in widths])
    lines = ["  ".join([cell.ljust(width) for cell, width in zip(line, widths)]).rstrip() for line in cells]
    if rst:
        cells[0][0] = "\\"
        lines = [" ".join([cell.ljust(width) for cell, width in zip(line, widths)]).rstrip() for line in cells]
        lines = [rule, lines[0], rule] + lines[1:] + [rule]
    return "\n".join(lines)


def main(arguments):
    """The command line."""
    options = {"--seconds": 3.0, "--rounds": 1, "--held": 2000}
    wanted, rst, compiled = [], False, True
    while arguments:
        word = arguments.pop(0)
        if word == "--rst":
            rst = True
        elif word == "--python-load":
            compiled = False
        elif word in options:
            options[word] = type(options[word])(arguments.pop(0))
        else:
            name, _, command = word.partition("=")
            wanted.append((name, shlex.split(command)))
    folder = tempfile.mkdtemp()
    generator = Generator(folder, compiled)
    try:
        if generator.program is None:
            print("No C compiler: the load comes from Python, which is slower than a fast server.")
        for _ in range(options["--rounds"]):
            results = [(name, measure(command, generator, options["--seconds"], options["--held"]))
                       for name, command in wanted or servers()]
            print(table(results, rst))
    finally:
        if generator.program:
            os.remove(generator.program)
        os.rmdir(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
