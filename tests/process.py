"""Running the program as its user does: a process of its own, its output, its end."""
import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from support import ONE_FILE, ROOT, wait_until

PIPE = subprocess.PIPE


def free_port():
    """A TCP port that was free a moment ago, on every address; from below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(20000, 32768)
        sock = socket.socket()
        try:
            sock.bind(("", port))
            return port
        except socket.error as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        finally:
            sock.close()


def accepts(port):
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except socket.error:
        return False


class Program(object):
    """The program, running.

    :param case: the TestCase; what is still running when it ends is killed
    :param arguments: the command line without the port, which is chosen here and put first; a string is split
    :param options: ``port``, ``wait`` (False: do not wait until it listens), and what subprocess.Popen takes
    """

    def __init__(self, case, arguments="", **options):
        self.port = options.pop("port", None) or free_port()
        wait = options.pop("wait", True)
        command = options.pop("command", None) or case.dul.COMMAND
        arguments = arguments.split() if isinstance(arguments, str) else list(arguments)
        options.setdefault("cwd", ROOT)
        options.setdefault("stdout", PIPE)
        options.setdefault("stderr", PIPE)
        self.process = subprocess.Popen(command + [str(self.port)] + arguments, **options)
        self.chunks = {"stdout": [], "stderr": []}
        self.readers = []
        for name, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr)):
            if pipe is not None:
                thread = threading.Thread(target=self._read, args=(name, pipe))
                thread.daemon = True
                thread.start()
                self.readers.append(thread)
        case.addCleanup(self.kill)
        if wait:
            debug = self.process.stderr is not None and ("-d" in arguments or "debug" in arguments)
            wait_until(lambda: self.process.poll() is not None or (
                "Listening on port" in self.err if debug else accepts(self.port)), "it listens")
            if self.process.poll() is not None:
                raise AssertionError("it ended: %s" % self.err)

    def _read(self, name, pipe):
        while True:
            data = os.read(pipe.fileno(), 65536)
            if not data:
                return
            self.chunks[name].append(data)

    @property
    def out(self):
        """Standard output so far."""
        return b"".join(self.chunks["stdout"]).decode("utf-8")

    @property
    def err(self):
        """Standard error so far, without the notices of the connections by which the tests find out that it listens."""
        text = b"".join(self.chunks["stderr"]).decode("utf-8")
        return "".join([line for line in text.splitlines(True) if "connected and sent nothing" not in line])

    @property
    def address(self):
        """(host, port)."""
        return "127.0.0.1", self.port

    def saw(self, words, count=1):
        """Wait until standard error has these words."""
        return wait_until(lambda: self.err.count(words) >= count, "%r in %r" % (words, self.err))

    def end(self, number=signal.SIGTERM):
        """Send a signal, wait for the end, and return the exit status as subprocess has it (-N: by signal N)."""
        if number is not None:
            self.process.send_signal(number)
        wait_until(lambda: self.process.poll() is not None, "it ends", 10)
        for thread in self.readers:
            thread.join(5)
        return self.process.returncode

    def kill(self):
        """Whatever happens."""
        try:
            self.process.kill()
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise
        self.process.wait()
        for thread in self.readers:
            thread.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def run(case, arguments, **options):
    """Run a command line that ends by itself. Returns (exit status, stdout, stderr) as text."""
    options.setdefault("cwd", ROOT)
    command = options.pop("command", None) or case.dul.COMMAND
    process = subprocess.Popen(command + list(arguments), stdout=PIPE, stderr=PIPE, **options)
    timer = threading.Timer(20, process.kill)
    timer.start()
    out, err = process.communicate()
    timer.cancel()
    return process.returncode, out.decode("utf-8"), err.decode("utf-8")


def folder(case):
    """An empty folder for one test."""
    path = tempfile.mkdtemp()
    case.addCleanup(shutil.rmtree, path)
    return path


def alone(case):
    """echoscp.py alone in an empty folder: (folder, path)."""
    path = folder(case)
    shutil.copy(ONE_FILE, path)
    return path, os.path.join(path, "echoscp.py")
