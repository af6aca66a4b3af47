"""What the tests share: both forms of the program, a real server in this process, and waiting without sleeping."""
from __future__ import print_function

import importlib
import itertools
import json
import logging
import os
import socket
import sys
import threading
import time
import types
import unittest
from binascii import unhexlify

from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
ONE_FILE = os.path.join(ROOT, "echoscp.py")
PATIENCE = 20.0         # seconds until a condition that should come true is given up; never waited for in full

if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import setup as project  # noqa: E402  (the list of modules, and the command that makes the one file)

logging.getLogger("echoscp").addHandler(logging.NullHandler())
logging.getLogger("echoscp").propagate = False

PYPY = "PyPy" in sys.version

try:
    import ctypes
    IN_WINE = hasattr(ctypes.windll.ntdll, "wine_get_version")
except (ImportError, AttributeError):       # no ctypes, or no Windows
    IN_WINE = False

if hasattr(time, "monotonic"):
    monotonic = time.monotonic
else:
    def monotonic():
        """Seconds that never go back."""
        return os.times()[4]


def processor_seconds():
    """Seconds of processor time of this process so far."""
    return sum(os.times()[:2])


def package_form():
    """Every top-level name of every module of dul/, in one namespace."""
    form = types.ModuleType("dul_form")
    form.__dict__["FORM"] = "dul"
    for name in project.MODULES:
        for key, value in vars(importlib.import_module("dul." + name)).items():
            if not key.startswith("__"):
                form.__dict__[key] = value
    form.COMMAND = [sys.executable, "-m", "dul"]
    return form


def one_file_form():
    """echoscp.py as a module."""
    form = importlib.import_module("echoscp")
    form.FORM = "one file"
    form.COMMAND = [sys.executable, ONE_FILE]
    return form


FORMS = (package_form(), one_file_form())
BOTH = bool(os.environ.get("ECHOSCP_BOTH"))     # whether all is tried with both


def both_forms(case, forms=None):
    """Class decorator: the tests of a TestCase run once for dul/ and once for echoscp.py, as ``self.dul``."""
    module = sys.modules[case.__module__]
    for form in forms or FORMS:
        name = "%s_%s" % (case.__name__, form.FORM.replace(" ", "_"))
        setattr(module, name, type(name, (case, unittest.TestCase), {"dul": form, "__module__": case.__module__}))
    return case


def as_program(case):
    """Class decorator for tests that start programs: they run for echoscp.py, and with ECHOSCP_BOTH in the environment
    for dul/ as well. What differs between these two as programs is tested for both in test_cli and test_starts."""
    return both_forms(case, FORMS if BOTH else FORMS[-1:])


def at_length(case):
    """Class decorator of tests that wait or try much: they run for dul/, with ECHOSCP_BOTH for echoscp.py, the same text, too."""
    return both_forms(case, FORMS if BOTH else FORMS[:1])


def shared(form, cases):
    """Every second one of many cases that need no socket: dul/ has the ones, echoscp.py, which is the same text, the
    others. With ECHOSCP_BOTH in the environment each has all."""
    return cases if BOTH else itertools.islice(cases, FORMS.index(form), None, len(FORMS))


def vectors():
    """{name: entry} of the golden PDUs; ``data`` is the bytes."""
    with open(os.path.join(TESTS, "data", "vectors.json")) as source:
        entries = json.load(source)
    for entry in entries.values():
        entry["data"] = unhexlify(entry["hex"].encode("ascii"))
    return entries


def wait_until(condition, what, patience=PATIENCE):
    """Wait until ``condition()`` is true, and return what it returned.

    :param what: the condition in words, or what makes them
    """
    pause, end = threading.Event(), monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if monotonic() > end:
            raise AssertionError("not within %g s: %s" % (patience, what() if callable(what) else what))
        pause.wait(0.002)


def skip_loudly(reason):
    """Skip a test so that nobody can overlook it."""
    print("SKIPPED: " + reason, file=sys.stderr)
    raise unittest.SkipTest(reason)


def skip_with_pypy(what):
    """Skip for something that PyPy does in another way."""
    if PYPY:
        skip_loudly("PyPy " + what)


def skip_in_wine(what):
    """Skip where Windows is not there itself, for something that only Wine does in another way."""
    if IN_WINE:
        skip_loudly("Wine " + what)


def serve(case, **arguments):
    """An EchoServer of the form under test on a free port, stopped after the test."""
    server = case.dul.EchoServer(port=0, **arguments)
    case.addCleanup(server.stop)
    return server.start()


def good_echo(address, message_id=1, timeout=20.0):
    """One association that is as it should be. Returns how many seconds it took."""
    start = monotonic()
    with Peer(address, timeout) as peer:
        answers = (peer.associate()[:1], peer.send(echo_rq(message_id)).pdu(), peer.send(RELEASE_RQ).pdu(), peer.finish())
        if answers != (b"\x02", echo_rsp(message_id), RELEASE_RP, b""):
            raise AssertionError("%r" % (answers,))
    return monotonic() - start


def replace(case, owner, name, value):
    """Put something else in the place of an attribute for one test; None takes it away. Returns what was there."""
    saved = getattr(owner, name)
    case.addCleanup(setattr, owner, name, saved)
    if value is None:
        delattr(owner, name)
    else:
        setattr(owner, name, value)
    return saved


def replace_name(case, module, name, value):
    """The same for a name that a module of dul/ uses, or for all of the one file."""
    owner = case.dul if case.dul.FORM == "one file" else sys.modules["dul." + module]
    return replace(case, owner, name, value)


def without_kernel_timeouts(case):
    """Have it that the socket's own timeout is all there is, as on Windows."""
    for module, name, value in (("compat", "KERNEL_TIMEOUTS", False), ("transport", "KERNEL_TIMEOUTS", False),
                                ("transport", "AT_ONCE", 0)):
        replace_name(case, module, name, value)


def with_a_patient_stop(case):
    """Have it that a stop which waits for its limit takes 10 s: so one that takes less did not."""
    replace_name(case, "pool", "STOP_POLITELY", 10.0)
    replace_name(case, "pool", "STOP_LIMIT", 11.0)


def listening_socket(case, send_buffer=None):
    """A socket that listens on a free port, closed after the test."""
    sock = socket.socket()
    case.addCleanup(sock.close)
    if send_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    sock.bind(("127.0.0.1", 0))
    sock.listen(5)
    return sock


def descriptors():
    """The open descriptors of this process, as a set; None where the system does not show them."""
    if os.name != "posix":      # Wine has a /proc, of other descriptors
        return None
    try:
        # without the one that reads the directory: another thread may free a lower number for the next call meanwhile
        return set(name for name in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + name))
    except EnvironmentError:
        return None


class Recorder(object):
    """An ``on_event`` that keeps the notices.

    :param also: called with each notice as well, in the thread of its connection
    """

    def __init__(self, also=None):
        self.notices = []
        self.also = also

    def __call__(self, notice):
        self.notices.append(notice)
        if self.also:
            self.also(notice)

    def kinds(self):
        """What happened so far, in its order."""
        return [notice.kind for notice in self.notices]

    def saw(self, *kinds):
        """Wait until this and nothing else has happened; forget it, and return the notices."""
        wait_until(lambda: self.kinds() == list(kinds), lambda: "%s in %s" % (kinds, self.kinds()))
        notices, self.notices = self.notices, []
        return notices

    def ends(self, count=1):
        """Wait until so many connections are closed; forget, and return the notices."""
        wait_until(lambda: self.kinds().count("closed") == count, lambda: "%d ends in %s" % (count, self.kinds()))
        notices, self.notices = self.notices, []
        return notices


class LogCapture(object):
    """The records of the logger echoscp during one test.

    :param level: of the logger
    :param emit: called with each record in its place
    """

    def __init__(self, case, level, emit=None):
        self.records = []
        self.logger = logging.getLogger("echoscp")
        handler = logging.Handler()
        handler.emit = emit or self.records.append
        case.addCleanup(self.logger.setLevel, self.logger.level)
        case.addCleanup(self.logger.removeHandler, handler)
        self.logger.addHandler(handler)
        self.logger.setLevel(level)

    def lines(self, level=None):
        """``I: Association Received`` and so on, so far; of one level only, where one is given."""
        return ["%s: %s" % (record.levelname[0], record.getMessage()) for record in list(self.records)
                if level in (None, record.levelno)]

    def saw(self, words, count=1):
        """Wait until so many lines have these words, and return them."""
        def found():
            return [line for line in self.lines() if words in line]
        wait_until(lambda: len(found()) >= count, lambda: "%r in %s" % (words, self.lines()))
        return found()


if not hasattr(unittest.TestCase, "assertRegex"):       # Python 2.7
    unittest.TestCase.assertRegex = unittest.TestCase.assertRegexpMatches
