"""What the tests share: both forms of the program, a real server in this process, and waiting without sleeping."""
from __future__ import print_function

import importlib
import json
import logging
import os
import sys
import threading
import time
import types
import unittest
from binascii import unhexlify

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
ONE_FILE = os.path.join(ROOT, "echoscp.py")
PATIENCE = 20.0         # seconds until a condition that should come true is given up; never waited for in full

if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import setup as project  # noqa: E402  (the list of modules, and the command that makes the one file)

logging.getLogger("echoscp").addHandler(logging.NullHandler())
logging.getLogger("echoscp").propagate = False

if hasattr(time, "monotonic"):
    monotonic = time.monotonic
else:
    def monotonic():
        """Seconds that never go back."""
        return os.times()[4]


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


def both_forms(case):
    """Class decorator: the tests of a TestCase run once for dul/ and once for echoscp.py, as ``self.dul``."""
    module = sys.modules[case.__module__]
    for form in FORMS:
        name = "%s_%s" % (case.__name__, form.FORM.replace(" ", "_"))
        setattr(module, name, type(name, (case, unittest.TestCase), {"dul": form, "__module__": case.__module__}))
    return case


def vectors():
    """{name: entry} of the golden PDUs; ``data`` is the bytes."""
    with open(os.path.join(TESTS, "data", "vectors.json")) as source:
        entries = json.load(source)
    for entry in entries.values():
        entry["data"] = unhexlify(entry["hex"].encode("ascii"))
    return entries


def wait_until(condition, what, patience=PATIENCE):
    """Wait until ``condition()`` is true, and return what it returned."""
    pause, end = threading.Event(), monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if monotonic() > end:
            raise AssertionError("not within %g s: %s" % (patience, what))
        pause.wait(0.002)


def skip_loudly(reason):
    """Skip a test so that nobody can overlook it."""
    print("SKIPPED: " + reason, file=sys.stderr)
    raise unittest.SkipTest(reason)


def serve(case, **arguments):
    """An EchoServer of the form under test on a free port, stopped after the test."""
    server = case.dul.EchoServer(port=0, **arguments)
    case.addCleanup(server.stop)
    return server.start()


class LogLines(logging.Handler):
    """The lines that the logger has had, in this process, while a test runs.

    :ivar lines: ``W: text``
    """

    def __init__(self, case, level=logging.WARNING):
        logging.Handler.__init__(self)
        logger = logging.getLogger("echoscp")
        case.addCleanup(logger.setLevel, logger.level)
        case.addCleanup(logger.removeHandler, self)
        logger.setLevel(level)
        logger.addHandler(self)
        self.lines = []

    def emit(self, record):
        """Keep a line."""
        self.lines.append("%.1s: %s" % (record.levelname, record.getMessage()))
