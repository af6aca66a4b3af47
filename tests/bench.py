"""Measures this server against its floor and against others, in comparable columns of one run.

Columns: the floor, first and last; echoscp; both bound to one processor; two instances of echoscp with a listening
socket and a processor each, on one port; echoscp on a Python without a global lock, and on the same Python with it
("-X gil=1"); and of dcmjs-dimse, DCMTK's storescp and pynetdicom those that are installed. In brackets stands the ratio
to the mean of the floors of the same kind: to the bound floor where a name ends in "pinned". Machines are noisy: only
ratios within one run mean anything.
The load comes from bench_load.c where a C compiler is there, else from threads of this process, which are slower than a
fast server.
"""
from __future__ import print_function

import argparse
import collections
import contextlib
import multiprocessing
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from process import accepts, free_port
from support import ONE_FILE, TESTS, monotonic, wait_until
from wire import IMPLICIT, LITTLE, BIG, RELEASE_RQ, Peer, associate_rq, context, echo_rq, user_information

FLOOR = os.path.join(TESTS, "bench_floor.py")
LINUX = sys.platform.startswith("linux")
REQUEST = associate_rq([context(1, transfers=(IMPLICIT, LITTLE, BIG))], user_information(), calling=b"BENCH")
ROWS = [("associations/s, 1 client", "assoc", 1), ("associations/s, 16 clients", "assoc", 16),
        ("associations/s, 64 clients", "assoc", 64), ("echoes/s, 1 client", "echo", 1),
        ("echoes/s, 16 clients", "echo", 16)]
NOUNS = {"assoc": "association", "echo": "echo"}
FAILURES = "failures"
SERVICE = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET")   # what a service manager sets
ATTEMPTS = 10       # ports that a program may find taken
FINISHING = 120     # seconds that held associations may need to be answered
# What a shell does to hand a socket over as systemd does: the process that it becomes has the number in LISTEN_PID
HAND_OVER = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null'
HAS_NO_LOCK = "import sys; print(sys.executable); sys.exit(sys._is_gil_enabled())"
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


# ---- the load

class Load(collections.namedtuple("Load", "done took median late failures")):
    """What a load generator did.

    :ivar done: associations or echoes
    :ivar took: seconds
    :ivar median: of the time of each, in milliseconds
    :ivar late: the 99th percentile, likewise
    """


class PythonLoad(object):
    """What bench_load does, but for ``hold``, in threads of this process."""

    def __init__(self, port, mode, clients, seconds):
        self.address, self.start = ("127.0.0.1", port), monotonic()
        self.end = self.start + seconds
        self.times, self.failures = [], []
        self.threads = [threading.Thread(target=self.client, args=(mode,)) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def client(self, mode):
        """Whole associations, or echoes in one, until the time is up."""
        try:
            if mode == "assoc":
                self.repeat(self.association)
            else:
                with Peer(self.address) as peer:
                    self.ask(peer, REQUEST, b"\x02")
                    self.repeat(lambda: self.ask(peer, echo_rq(), b"\x04"))
        except EnvironmentError as error:
            self.failures.append(error)

    def repeat(self, action):
        """Do it again and again, and keep how long each time took."""
        since = self.start
        while since < self.end:
            since = monotonic()
            action()
            self.times.append(monotonic() - since)

    def association(self):
        """Connect, associate, one echo, release."""
        with Peer(self.address) as peer:
            for message, due in ((REQUEST, b"\x02"), (echo_rq(), b"\x04"), (RELEASE_RQ, b"\x06")):
                self.ask(peer, message, due)

    @staticmethod
    def ask(peer, message, due):
        """Send it, and read the answer, a PDU of the type that is due."""
        if peer.send(message).pdu()[:1] != due:
            raise socket.error("no answer")

    def result(self):
        """A Load, when it is over."""
        for thread in self.threads:
            thread.join()
        took, times = monotonic() - self.start, sorted(self.times) or [0]
        return Load(len(self.times), took, times[len(times) // 2] * 1e3, times[int((len(times) - 1) * 0.99)] * 1e3,
                    len(self.failures))


class Generator(object):
    """bench_load, compiled, or what stands in for it.

    :ivar program: its path; None where there is no compiler
    """

    def __init__(self, folder, compiled=True):
        self.program = os.path.join(folder, "bench_load")
        if not compiled or not runs(["cc", "-O2", "-o", self.program, os.path.join(TESTS, "bench_load.c")]):
            self.program = None

    def run(self, port, mode, clients, seconds, watch=None):
        """A Load. ``watch()`` is called every now and then meanwhile."""
        if self.program is None:
            return PythonLoad(port, mode, clients, seconds).result()
        process = subprocess.Popen([self.program, str(port), mode, str(clients), str(seconds)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        try:
            for message in (REQUEST, echo_rq(), RELEASE_RQ):
                process.stdin.write(struct.pack(">I", len(message)) + message)
            process.stdin.close()
            if watch:
                wait_until(lambda: watch() or process.poll() is not None, "they are answered", seconds + FINISHING)
            words = process.stdout.read().split()
        finally:
            end(process)
            process.stdout.close()
        return Load(int(words[0]), float(words[1]), float(words[2]), float(words[3]), int(words[4]))


# ---- the servers

def quiet(call, command, **options):
    """A function of subprocess with this command, and without its error output."""
    with open(os.devnull, "r+b") as nowhere:
        return call(command, stdin=nowhere, stderr=nowhere, **options)


def runs(command):
    """Whether this command is there, and succeeds."""
    try:
        quiet(subprocess.check_output, command)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def end(process):
    """Kill it if it runs."""
    if process.poll() is None:
        process.kill()
    process.wait()


class Column(object):
    """A server that can be measured.

    :param command: its words; {} is the port; the process that it starts must be the one that listens
    :param processors: that its instances are bound to; None: to none
    :param test: a command that succeeds where the server is installed
    """

    def __init__(self, name, command, processors=(None,), test=None):
        self.name, self.command, self.processors, self.test = name, command, processors, test
        self.pinned = name.endswith("pinned")
        self.is_floor = name.startswith("floor")
        self.tells = LINUX and ONE_FILE in command      # whether it says when it is ready

    def is_there(self):
        """Whether it can run here."""
        if len(self.processors) > 1 and not hasattr(socket, "SO_REUSEPORT"):
            return False
        bound = all(processor is None or runs(bind(["true"], processor)) for processor in self.processors)
        return bound and (self.test is None or runs(self.test))

    def at(self, port, processor):
        """The command line of an instance."""
        return bind([word.replace("{}", str(port)) for word in self.command], processor)


def bind(command, processor):
    """The command with its processor, or without one (None)."""
    return command if processor is None else ["taskset", "-c", str(processor)] + command


def processors():
    """The numbers of the processors that this process may use."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:      # Python 2.7, and systems without
        return list(range(multiprocessing.cpu_count()))


def free_threaded(given):
    """The path of a Python without a global lock: this one, or python3.13t; None.

    :raises SystemExit: where the one given is none
    """
    try:
        return quiet(subprocess.check_output, [given or "python3.13t", "-c", HAS_NO_LOCK]).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        if given:
            raise SystemExit("%s is no Python without a global lock" % given)
        return None


def known_columns(python, other):
    """[Column], whether they are there or not: a floor first and last.

    :param python: without a global lock
    :param other: the Python that has pynetdicom
    """
    floor, ours, numbers = [sys.executable, FLOOR, "{}"], [sys.executable, ONE_FILE, "{}"], processors()
    return [Column("floor", floor), Column("echoscp", ours),
            Column("floor pinned", floor, numbers[:1]), Column("echoscp pinned", ours, numbers[:1]),
            Column("two instances", ours, numbers[:2], None if len(numbers) > 1 else ["false"]),
            Column("echoscp free-threaded", [python, ONE_FILE, "{}"], test=[python or "false", "--version"]),
            Column("the same, locked", [python, "-X", "gil=1", ONE_FILE, "{}"], test=[python or "false", "--version"]),
            Column("dcmjs-dimse", ["node", "-e", DCMJS, "{}"], test=["node", "-e", "require('dcmjs-dimse')"]),
            Column("DCMTK storescp", ["storescp", "{}"], test=["storescp", "--version"]),
            Column("pynetdicom echoscp", [other, "-m", "pynetdicom", "echoscp", "{}"],
                   test=[other, "-c", "import pynetdicom"]),
            Column("floor again", floor)]


class Server(object):
    """The program of a column, running: one process, or several that share a port.

    :ivar port: where it listens
    :ivar took: seconds from exec until it served
    """

    def __init__(self, column):
        self.column, self.processes, self.ready, self.since, self.took = column, [], 0, None, None
        self.said = tempfile.TemporaryFile()
        self.listeners = shared_port(len(column.processors)) if len(column.processors) > 1 else []
        self.port = self.listeners[0].getsockname()[1] if self.listeners else free_port()
        self.notices = None

    def start(self, connecting):
        """Start it. Returns whether it serves; else it has ended.

        :param connecting: find out by a connection, also where the program would say so
        """
        environ = dict(item for item in os.environ.items() if item[0] not in SERVICE)
        if self.column.tells and not connecting:
            self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notices.setblocking(False)
            self.notices.bind("")       # Linux takes a free abstract address
            name = self.notices.getsockname()[1:]
            environ["NOTIFY_SOCKET"] = "@" + (name if isinstance(name, str) else name.decode())
        self.since = monotonic()
        for number, processor in enumerate(self.column.processors):
            self.launch(processor, self.listeners[number:number + 1], environ)
        wait_until(lambda: self.has_ended() or self.is_ready(), "%s serves" % self.column.name)
        return not self.has_ended()

    def launch(self, processor, listener, environ):
        """Start a process of it, with a socket to take over, if there is one in the list."""
        command = self.column.at(self.port, processor)
        if listener:
            command = ["/bin/sh", "-c", HAND_OVER, "sh"] + command
        with open(os.devnull, "rb") as nowhere:
            self.processes.append(subprocess.Popen(command, stdin=(listener or [nowhere])[0], stdout=self.said,
                                                   stderr=self.said, env=environ, close_fds=True))

    def is_ready(self):
        """Whether it serves: all of it says so, or a connection is accepted, and not by another program."""
        if self.notices is None:
            ready = accepts(self.port)
        else:
            self.ready += self.was_told()
            ready = self.ready == len(self.processes)
        self.took = monotonic() - self.since
        return ready and (self.notices is not None or listens(self.processes[0].pid, self.port))

    def was_told(self):
        """Whether one more process says that it is ready."""
        try:
            return self.notices.recv(100) == b"READY=1"
        except socket.error:
            return False

    def has_ended(self):
        """Whether a process of it has."""
        return any(process.poll() is not None for process in self.processes)

    def output(self):
        """What it has printed so far."""
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace")

    def memory(self):
        """Resident memory in kB; None where the system does not tell."""
        return total([memory(process.pid) for process in self.processes])

    def processor_time(self):
        """Seconds that processors have spent on it, in user and system mode; None where the system does not tell."""
        return total([processor_time(process.pid) for process in self.processes])

    def stop(self):
        """The end of it."""
        for process in self.processes:
            end(process)
        for each in [self.said, self.notices] + self.listeners:
            if each is not None:
                each.close()


def shared_port(count):
    """So many sockets that listen on one port; the kernel spreads connections over them."""
    socks, port = [], 0
    for _ in range(count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(4096)
        port = sock.getsockname()[1]
        socks.append(sock)
    return socks


@contextlib.contextmanager
def serving(column, connecting=False):
    """A Server of this column that serves; on another port where the program finds one taken."""
    for _ in range(ATTEMPTS):
        server = Server(column)
        try:
            if server.start(connecting):
                yield server
                if server.has_ended():
                    note("%s has ended by itself: %s" % (column.name, server.output()[-1000:]))
                return
            if "in use" not in server.output().lower():
                raise RuntimeError("%s does not start: %s" % (column.name, server.output()))
        finally:
            server.stop()
    raise RuntimeError("%s finds no free port" % column.name)


def listens(pid, port):
    """Whether a process listens on a port; True where the system does not tell."""
    if not LINUX or not os.path.exists("/proc/self/net/tcp"):
        return True
    lines = [line.split() for name in ("tcp", "tcp6") for line in content("/proc/self/net/" + name).splitlines()]
    files = open_files(pid)
    return any("socket:[%s]" % words[9] in files for words in lines
               if words[3] == "0A" and words[1].endswith(":%04X" % port))


def content(path):
    """The text of a file; empty where there is none, as of IPv6 on some systems."""
    try:
        with open(path) as source:
            return source.read()
    except EnvironmentError:
        return ""


def open_files(pid):
    """What the descriptors of a process stand for; some may close meanwhile, or all, when it ends."""
    files, folder = set(), "/proc/%d/fd" % pid
    try:
        for name in os.listdir(folder):
            try:
                files.add(os.readlink(os.path.join(folder, name)))
            except EnvironmentError:
                pass
    except EnvironmentError:
        pass
    return files


def memory(pid):
    """Resident memory of a process in kB; None where the system does not tell."""
    if not LINUX:
        return None
    try:
        with open("/proc/%d/status" % pid) as status:
            return [int(line.split()[1]) for line in status if line.startswith("VmRSS")][0]
    except (EnvironmentError, IndexError):
        return None


def processor_time(pid):
    """Seconds that processors have spent on all threads of a process; None where the system does not tell."""
    if not LINUX:       # Wine shows a /proc, of other processes
        return None
    try:
        with open("/proc/%d/stat" % pid) as status:
            fields = status.read().rpartition(")")[2].split()   # from the third on; the name may have blanks
    except EnvironmentError:
        return None
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def total(figures):
    """Their sum; None where one is missing."""
    return None if None in figures else sum(figures)


# ---- measuring

def measure(column, generator, options):
    """{row: figure} of one server, in the order of the rows."""
    figures = collections.OrderedDict()
    if len(column.processors) == 1:     # to each of several, no connection can be made
        figures["start, ms"] = start_time(column, options.starts)
    with serving(column) as server:
        threading.Event().wait(options.rest)
        idle = server.memory()
        measure_rates(figures, server, generator, options.seconds)
    if idle:
        figures["memory idle, MB"] = idle / 1024.0
    if generator.program and idle and options.held:
        with serving(column) as server:
            threading.Event().wait(options.rest)
            measure_held(figures, server, generator, options)
    return figures


def start_time(column, count):
    """The median of so many starts, from exec until a connection is accepted, in milliseconds."""
    times = []
    for _ in range(count):
        with serving(column, connecting=True) as server:
            times.append(server.took)
    return sorted(times)[count // 2] * 1e3


def measure_rates(figures, server, generator, seconds):
    """The load of each row in turn."""
    failures = 0
    for name, mode, clients in ROWS:
        before = server.processor_time()
        load = generator.run(server.port, mode, clients, seconds)
        after = server.processor_time()
        failures += load.failures
        figures[name] = load.done / load.took
        if clients == 16 and mode == "assoc":
            figures["99th percentile of an association, 16 clients, ms"] = load.late
        ticked = None not in (before, after) and after > before     # less than a tick of the clock is no figure
        if clients == 16 and load.done and ticked:
            figures["processor time of an %s, 16 clients, us" % NOUNS[mode]] = (after - before) / load.done * 1e6
    figures[FAILURES] = failures


def measure_held(figures, server, generator, options):
    """Many associations at once, which all ask at the same instant."""
    before = server.memory()
    peak = [before]
    load = generator.run(server.port, "hold", options.held, options.seconds + 2,
                         watch=lambda: peak.append(max(peak.pop(), server.memory() or 0)))
    figures["answered of %d held at once" % options.held] = load.done
    if load.done:
        figures["99th percentile of their echoes, all at the same instant, ms"] = load.late
    figures["memory of each of them, kB"] = (peak[0] - before) / float(options.held)


# ---- the table

def cell(row, figures, floors):
    """A figure, and its ratio to the mean of the floors."""
    if row not in figures:
        return "n/a"
    figure, base = figures[row], [floor[row] for floor in floors if row in floor]
    text = "%.1f" % figure if isinstance(figure, float) and figure < 100 else "%.0f" % figure
    return "%s (%.2f)" % (text, figure * len(base) / sum(base)) if row != FAILURES and sum(base) else text


def headings(names):
    """Lines of cells: each name in as many lines as it has words."""
    words = [name.split() for name in names]
    return [[each[line] if line < len(each) else "" for each in words] for line in range(max(map(len, words)))]


def table(results, rst):
    """The text of it.

    :param results: [(Column, figures)]
    """
    floors = dict((pinned, [figures for column, figures in results if column.is_floor and column.pinned == pinned])
                  for pinned in (False, True))
    rows = collections.OrderedDict.fromkeys(row for _, figures in results for row in figures)
    head = headings(["\\" if rst else ""] + [column.name for column, _ in results])
    body = [[row] + [cell(row, figures, floors[column.pinned]) for column, figures in results] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*(head + body))]
    gap = " " if rst else "  "

    def lines(part):
        return [gap.join([text.ljust(width) for text, width in zip(line, widths)]).rstrip() for line in part]
    rule = [gap.join(["=" * width for width in widths])] if rst else []
    return "\n".join(rule + lines(head) + rule + lines(body) + rule)


# ---- the command line

def note(text):
    """Say something that is no part of the table."""
    print(text, file=sys.stderr)


def parsed(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--seconds", type=float, default=3.0, help="of each load (default: 3)")
    add("--rounds", type=int, default=1, help="tables (default: 1)")
    add("--held", type=int, default=2000, help="associations held at once (default: 2000; 0: no such rows)")
    add("--starts", type=int, default=9, help="of which the median counts (default: 9)")
    add("--rest", type=float, default=1.0, metavar="SECONDS",
        help="after which a start is over, and what it needed is given back (default: 1)")
    add("--free-threaded", metavar="PYTHON", help="one without a global lock (default: python3.13t)")
    add("--pynetdicom", metavar="PYTHON", default=sys.executable,
        help="one that has pynetdicom (default: this one; but where pydicom is installed, echoscp loads it)")
    add("--python-load", action="store_true", help="use no compiler")
    add("--rst", action="store_true", help="print a table of reStructuredText")
    add("columns", nargs="*", metavar="COLUMN",
        help="the name of a column, or NAME=COMMAND, where {} is the port; one whose name begins with 'floor' is a "
        "floor (default: all that are there)")
    return parser.parse_args(arguments)


def chosen(options):
    """[Column] that are wanted, and there; says which are not there."""
    known = known_columns(free_threaded(options.free_threaded), options.pynetdicom)
    named = dict((column.name, column) for column in known)
    wanted = []
    for word in options.columns:
        name, equals, command = word.partition("=")
        if not equals and name not in named:
            raise SystemExit("no column %r; there are: %s" % (name, ", ".join([column.name for column in known])))
        wanted.append(Column(name, shlex.split(command)) if equals else named[name])
    there = [column for column in wanted or known if column.is_there()]
    missing = [column.name for column in wanted or known if column not in there]
    if missing:
        note("Not here: " + ", ".join(missing))
    return there


def main(arguments=None):
    """Measure, and print."""
    options = parsed(arguments)
    columns, folder = chosen(options), tempfile.mkdtemp()
    try:
        generator = Generator(folder, not options.python_load)
        if generator.program is None:
            note("The load comes from Python, which is slower than a fast server.")
        for _ in range(options.rounds):
            print(table([(column, measure(column, generator, options)) for column in columns], options.rst))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
