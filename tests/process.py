"""Running the program as its user does: a process of its own, its output, its end.

On POSIX the test listens and hands its socket over, as systemd does: no port has to be free a moment later, and peers
can connect at once. A program that is to listen by itself (``own=True``; on Windows every one) gets a port that was
free, and another one where it was taken meanwhile. When a program is ready it says so (NOTIFY_SOCKET).
"""
import atexit
import errno
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from support import ONE_FILE, ROOT, skip_loudly, wait_until

PIPE = subprocess.PIPE
POSIX = os.name == "posix"
BACKLOG = 4096          # connections that may wait for a program that starts
ATTEMPTS = 10           # ports that a program may find taken
END_LIMIT = 20.0        # seconds until a program that does not end fails the test

# What a shell does in place of the test, so that the test needs no code between fork() and exec().
HAND_OVER = '%s LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null %s'
PLAIN_START = '%s exec "$@" %s'

# ---- Windows
# No socket can be handed over, and no UNIX socket says when it is ready: the -d line does, or a connection, which the
# program tells of. Of the signals that a program can handle it has Ctrl-C, which goes to a whole console: so each
# program has one of its own. Who sends it gives up its console, takes the program's, and ignores the Ctrl-C itself.
# One process does so for all tests: it reads process IDs, and answers each with the error of Windows, or 0.
CTRL_C = ("import ctypes, sys\n"
          "api = ctypes.WinDLL('kernel32', use_last_error=True)\n"
          "api.FreeConsole()\n"
          "for line in iter(sys.stdin.readline, ''):\n"
          "    done = api.AttachConsole(int(line)) and api.SetConsoleCtrlHandler(None, 1) "
          "and api.GenerateConsoleCtrlEvent(0, 0)\n"
          "    print(0 if done else ctypes.get_last_error())\n"
          "    sys.stdout.flush()\n"
          "    api.FreeConsole()\n")
if POSIX:
    STOP = signal.SIGTERM                               # what ends a program as its user does
    POPEN_OPTIONS = {"close_fds": True}                 # Python 2.7 would pass every socket of the test on
    # A program inherits an ignored signal: Ctrl-C in the background of a shell, SIGHUP under nohup. It does not inherit
    # a handler, so that here one that does nothing takes the place of what is ignored.
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(ignored) == signal.SIG_IGN:
            signal.signal(ignored, lambda *_: None)
else:
    STOP = signal.SIGINT
    POPEN_OPTIONS = {"creationflags": 0x08000000}       # CREATE_NO_WINDOW: a console that nobody sees


def ended_by(number):
    """The exit status, as subprocess has it, of a program that this signal ended."""
    return -number if POSIX else 128 + number


ENDED = ended_by(STOP)


class CtrlC(object):
    """The process that sends Ctrl-C. It starts with the first, and ends with the tests: its input does."""

    lock, process = threading.Lock(), None

    @classmethod
    def send(cls, pid):
        """Send it to the program with this process ID."""
        with cls.lock:
            if cls.process is None:
                cls.process = subprocess.Popen([sys.executable, "-S", "-c", CTRL_C], stdin=PIPE, stdout=PIPE)
                atexit.register(cls.process.communicate)
            cls.process.stdin.write(("%d\n" % pid).encode("ascii"))
            cls.process.stdin.flush()
            error = cls.process.stdout.readline().strip()
        if error != b"0":
            raise AssertionError("Ctrl-C cannot be sent: Windows error %s" % error.decode())


def send_signal(process, number):
    """Send a signal; in Windows, Ctrl-C."""
    if POSIX:
        process.send_signal(number)
    elif number == STOP:
        CtrlC.send(process.pid)
    else:
        raise ValueError("Windows cannot send signal %d" % number)


def need_posix(what):
    """Skip on Windows."""
    if not POSIX:
        skip_loudly("Windows has no " + what)


def need_linux(what):
    """Skip elsewhere."""
    if not sys.platform.startswith("linux"):
        skip_loudly("this system has no " + what)


def need_files(count):
    """Skip unless this process, and each that it starts, may have so many descriptors; raises the soft limit."""
    try:
        import resource
    except ImportError:     # Windows has no such limit
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if 0 <= hard < count:
        skip_loudly("%d descriptors are needed, %d are allowed here" % (count, hard))


def free_port():
    """A TCP port that was free a moment ago, on every address."""
    sock = socket.socket()
    try:
        sock.bind(("", 0))
        return sock.getsockname()[1]
    finally:
        sock.close()


def accepts(port):
    """Whether a program listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except socket.error:
        return False


def listening(case, family=socket.AF_INET, kind=socket.SOCK_STREAM, buffers=None):
    """A socket on a free port of this host, which listens; closed after the test.

    :param buffers: bytes of the send and receive buffers of its connections
    """
    sock = socket.socket(family, kind)
    case.addCleanup(sock.close)
    if buffers:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    if kind == socket.SOCK_STREAM:
        sock.listen(BACKLOG)
    return sock


class Readiness(object):
    """The socket of a service manager that a program tells when it is ready (sd_notify(3)).

    :ivar name: for NOTIFY_SOCKET
    """

    numbers = itertools.count(1)

    def __init__(self, case, path=False):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self.sock.close)
        if path or not sys.platform.startswith("linux"):
            self.name = address = os.path.join(folder(case), "notify")
        else:       # an abstract address needs no file
            self.name = "@echoscp-test-%d-%d" % (os.getpid(), next(self.numbers))
            address = "\0" + self.name[1:]
        self.sock.bind(address)
        self.sock.setblocking(False)

    def received(self):
        """The next message, or None."""
        try:
            return self.sock.recv(100)
        except socket.error as error:
            if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                raise
            return None

    def wait(self, due, process=None):
        """Wait for this message, or for the end of the process."""
        got = wait_until(lambda: self.received() or process and process.poll() is not None, due)
        if got is not True and got != due:
            raise AssertionError("%r instead of %r" % (got, due))


def environment(readiness=None, base=None, **more):
    """The environment of a program: without what would change a Python's ways, unless ``base`` has it."""
    if base is None:
        base = dict(item for item in os.environ.items() if not item[0].startswith("PYTHON"))
        base["PYTHONDONTWRITEBYTECODE"] = "1"
    base = dict(base, **more)
    for name in ("NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        if name not in more:
            base.pop(name, None)
    if readiness is not None:
        base["NOTIFY_SOCKET"] = readiness.name
    return base


class Program(object):
    """The program, running.

    :param case: the TestCase; what is still running when it ends is killed
    :param arguments: the command line without the port, which comes first; a string is split
    :param options: ``own``: it listens by itself; ``listener``: the socket to hand over, which stays open;
        ``wait=False``: do not wait until it is ready; ``before``, ``after``: words for a POSIX shell before the
        command, and redirections behind it; ``readiness``: a Readiness of the test; ``env``; and what Popen takes
    :ivar port: where it listens
    """

    def __init__(self, case, arguments="", **options):
        self.arguments = arguments.split() if isinstance(arguments, str) else list(arguments)
        self.command = options.pop("command", None) or case.dul.COMMAND
        self.listener = options.pop("listener", None)
        self.shell = options.pop("before", ""), options.pop("after", "")
        self.own = options.pop("own", False) or not POSIX
        self.readiness = options.pop("readiness", None) or (Readiness(case) if POSIX else None)
        self.process = None
        wait = options.pop("wait", True)
        if any(self.shell) or self.listener is not None:
            need_posix("POSIX shell, and no socket that can be handed over")
        options["env"] = environment(self.readiness, options.get("env"))
        for name, value in [("cwd", ROOT), ("stdout", PIPE), ("stderr", PIPE)] + list(POPEN_OPTIONS.items()):
            options.setdefault(name, value)
        case.addCleanup(self.kill)
        for _ in range(ATTEMPTS):
            self.start(options)
            if not wait or self.is_ready():
                return
            if not self.own or self.end(None) != 1:
                break
            self.kill()
        raise AssertionError("it ended by itself with exit status %s: %s" % (self.end(None), self.err))

    def start(self, options):
        """Start the process once, and threads that read its output."""
        listener = None
        if self.own:
            self.port = free_port()
            script, options["stdin"] = PLAIN_START, options.get("stdin")
        else:
            listener = self.listener
            if listener is None:
                listener = socket.socket()
                listener.bind(("127.0.0.1", 0))
                listener.listen(BACKLOG)
            self.port = listener.getsockname()[1]
            script, options["stdin"] = HAND_OVER, listener
        command = self.command + [str(self.port)] + self.arguments
        if POSIX:
            command = ["/bin/sh", "-c", script % self.shell, "sh"] + command
        try:
            self.process = subprocess.Popen(command, **options)
        finally:
            if listener is not None and listener is not self.listener:
                listener.close()
        self.chunks = {"stdout": [], "stderr": []}
        self.readers = []
        for name, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr)):
            if pipe is not None:
                thread = threading.Thread(target=self._read, args=(pipe, self.chunks[name]))
                thread.daemon = True
                thread.start()
                self.readers.append(thread)

    def is_ready(self):
        """Wait until it serves, or has ended. Returns whether it serves."""
        words = set(word for argument in self.arguments for word in argument.split("="))
        if self.readiness is not None:
            self.readiness.wait(b"READY=1", self.process)
        elif words & {"-d", "--debug", "debug"} and self.process.stderr is not None:
            wait_until(lambda: self.process.poll() is not None or "Listening on port" in self.err, "it listens")
        else:
            wait_until(lambda: self.process.poll() is not None or accepts(self.port), "it listens")
            silent = words & {"-q", "--quiet", "error", "critical", "-lc", "--log-config"}
            if not silent and self.process.stderr is not None and self.process.poll() is None:
                self.saw("connected and sent nothing")
                del self.chunks["stderr"][:]
        return self.process.poll() is None

    @staticmethod
    def _read(pipe, chunks):
        while True:
            data = os.read(pipe.fileno(), 65536)
            if not data:
                return
            chunks.append(data)

    @staticmethod
    def _text(chunks):
        return b"".join(list(chunks)).decode("utf-8").replace("\r\n", "\n")   # Windows with Python 2.7 writes \r\n

    @property
    def out(self):
        """Standard output so far."""
        return self._text(self.chunks["stdout"])

    @property
    def err(self):
        """Standard error so far."""
        return self._text(self.chunks["stderr"])

    @property
    def address(self):
        """(host, port)."""
        return "127.0.0.1", self.port

    def forget(self):
        """Forget what standard error has had so far."""
        del self.chunks["stderr"][:]

    def saw(self, words, count=1):
        """Wait until standard error has these words in a whole line."""
        try:
            wait_until(lambda: self.err.count(words) >= count and self.err.endswith("\n"), words)
        except AssertionError:
            raise AssertionError("no %r in %r" % (words, self.err))

    def signal(self, number):
        """Send a signal, if it has not ended: Python 2.7 would send it to the process that has this ID now."""
        if self.process.poll() is None:
            send_signal(self.process, number)

    def end(self, number=STOP):
        """Send a signal, wait for the end, and return the exit status as subprocess has it (-N: by signal N)."""
        if number is not None:
            self.signal(number)
        wait_until(lambda: self.process.poll() is not None, "it ends", END_LIMIT)
        for thread in self.readers:
            thread.join(5)
        return self.process.returncode

    def kill(self):
        """Whatever happens."""
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                self.process.kill()
            except OSError as error:
                if error.errno not in (errno.ESRCH, errno.EACCES):      # it has ended
                    raise
        self.process.wait()
        for thread in self.readers:
            thread.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def run(case, arguments, **options):
    """Run a command line that ends by itself. Returns (exit status, stdout, stderr) as text.

    :param options: ``command``, ``before``, ``after``, ``env`` as for Program, and what subprocess.Popen takes
    """
    shell = options.pop("before", ""), options.pop("after", "")
    command = (options.pop("command", None) or case.dul.COMMAND) + list(arguments)
    if any(shell):
        need_posix("POSIX shell")
        command = ["/bin/sh", "-c", PLAIN_START % shell, "sh"] + command
    options["env"] = environment(base=options.get("env"))
    for name, value in [("cwd", ROOT), ("stdout", PIPE), ("stderr", PIPE)] + list(POPEN_OPTIONS.items()):
        options.setdefault(name, value)
    process = subprocess.Popen(command, **options)
    timer = threading.Timer(END_LIMIT, process.kill)
    timer.start()
    out, err = process.communicate()
    timer.cancel()
    return (process.returncode,) + tuple(Program._text([each or b""]) for each in (out, err))


def without(case, *modules):
    """The command of the program in a Python that lacks these modules."""
    form = "run_path(%r" % ONE_FILE if case.dul.FORM == "one file" else "run_module('dul'"
    return script("import runpy\nfor name in %r:\n    sys.modules[name] = None\nrunpy.%s, run_name='__main__')\n" % (
        list(modules), form))


def script(text):
    """The command that runs these Python statements with the package and the one file at hand."""
    return [sys.executable, "-c", "import os, sys\nsys.path.insert(0, %r)\n%s" % (ROOT, text)]


def main_module(case):
    """The name of the module that has main()."""
    return "echoscp" if case.dul.FORM == "one file" else "dul.cli"


def folder(case):
    """An empty folder for one test."""
    path = tempfile.mkdtemp()
    case.addCleanup(shutil.rmtree, path, True)
    return path


def alone(case):
    """echoscp.py alone in an empty folder: (folder, path)."""
    path = folder(case)
    shutil.copy(ONE_FILE, path)
    return path, os.path.join(path, "echoscp.py")
