"""``echoscp [options] port``: logging set-up, and ``main()``."""
import os
import signal
import socket
import sys

from dul.codes import VERSION
from dul.compat import (
    IN_USE, NOT_PERMITTED, ThreadError, ending_signals, raise_file_limit, start_new_thread, wake_on_signal)
from dul.log import CRITICAL, DEBUG, ERROR, INFO, LOGGER, NO_PEER, WARNING, Log, LogWriter, new_record
from dul.options import HELP, SYNTAX_OPTIONS, UsageError, parse, quoted
from dul.server import EchoServer
from dul.service import end_by, fill_standard_files, handed_over, notify, write
from dul.text import escaped
from dul.words import UID_NAMES

PROGRAM = "echoscp.py"
LINE_FORMAT = "%(levelname).1s: %(message)s"
FAILURE, REFUSED = 1, 2         # exit statuses
SILENT = CRITICAL + 1
WRITING_LIMIT = 0.5             # seconds that log lines have to be written when the program ends
LEVELS_BY_NAME = {"critical": CRITICAL, "error": ERROR, "warning": WARNING, "info": INFO, "debug": DEBUG}
ADVICE = ((NOT_PERMITTED, "; ports below 1024 need privileges"), (IN_USE, "; another program listens there"))
KEYWORDS = {"--aetitle": "ae_title", "--timeout": "timeout", "--acse-timeout": "acse_timeout",
            "--dimse-timeout": "dimse_timeout", "--max-pdu": "maximum_length"}


def main(arguments=None):
    """Run the program with these arguments, or those of ``sys.argv``. It ends by ``sys.exit()`` or by a signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # Ctrl-C ends it without a traceback, until the server catches it
    fill_standard_files()
    try:
        chosen = parse(sys.argv[1:] if arguments is None else arguments)
        if "--help" in chosen or "--version" in chosen:
            text = HELP if "--help" in chosen else "%s v%s\n" % (PROGRAM, VERSION)
            sys.exit(0 if write(1, text) else FAILURE)
        if "--log-config" in chosen:
            log_by_file(chosen["--log-config"], log_level(chosen))
        listener = handed_over(os.environ, chosen["port"])
    except UsageError as error:
        write(2, "%s: %s\n" % (PROGRAM, error))
        sys.exit(REFUSED)
    serve(chosen, listener)


def serve(chosen, listener):
    """Listen, serve until a signal comes, and end by it."""
    raise_file_limit()
    if hasattr(signal, "SIGTTOU"):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)   # a line to a terminal with tostop must not stop the process
    settings = dict((KEYWORDS[option], chosen[option]) for option in KEYWORDS if option in chosen)
    settings.update(("transfer_syntaxes", SYNTAX_OPTIONS[option]) for option in SYNTAX_OPTIONS if option in chosen)
    try:
        server = EchoServer(chosen["port"], listener=listener, alone=True, **settings)
    except (socket.error, OSError) as error:
        set_up_log(chosen, Log(None))
        advice = "".join([words for numbers, words in ADVICE if error.errno in numbers])
        Log(None).line(CRITICAL, "cannot listen on port %d: %s%s" % (chosen["port"], error.strerror or error, advice))
        sys.exit(FAILURE)
    try:
        start_new_thread(int, ())       # for its end glibc loads a library: now, because later memory may be short
        writer = LogWriter()
        server.log.put = writer.put
    except (ThreadError, RuntimeError):     # no thread for it: lines are written where they happen
        writer = None
    set_up_log(chosen, server.log)
    learn_uid_names()
    server.log.line(DEBUG, "Listening on port %d (%s) as %s" % (
        chosen["port"], "IPv4" if server.socket.family == socket.AF_INET else "IPv6 and IPv4", server.settings.ae_title))
    received = []

    def stop(number, _):
        """A signal has come: the first one stops the server, the second one ends the process at once."""
        received.append(number)
        if len(received) > 1:
            end_by(number)
        server.request_stop()

    for number in ending_signals():
        signal.signal(number, stop)
    wake_on_signal(server.wake_writer)
    notify(os.environ, "READY=1")
    server.serve_forever()
    notify(os.environ, "STOPPING=1")
    server.log.line(DEBUG, server.summary())
    if writer:
        writer.finish(WRITING_LIMIT)
    end_by(received[0])


def log_level(chosen):
    """The level that the command line asks for; None for the default."""
    for option, level in (("--quiet", SILENT), ("--verbose", INFO), ("--debug", DEBUG)):
        if option in chosen:
            return level
    return LEVELS_BY_NAME.get(chosen.get("--log-level", ""))


def set_up_log(chosen, log):
    """Set up the logger as the manual shows its lines, unless a configuration file has; the first lines of -d."""
    import logging
    write(2, "")    # PyPy reads the file of this codec: now, because later no descriptor may be left for it
    logging.raiseExceptions = False     # what cannot be logged is lost, and nothing else
    logger = logging.getLogger(LOGGER)
    if "--log-config" not in chosen:
        handler = logging.Handler()
        setattr(handler, "emit", lambda record: write(2, handler.format(record) + "\n"))
        handler.setFormatter(logging.Formatter(LINE_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(log_level(chosen) or WARNING)
    for line in ("$%s v%s" % (PROGRAM, VERSION), ""):
        log.line(DEBUG, line)


def log_by_file(name, level):
    """Set up the logger by a configuration file. Raises UsageError where it, or what it needs, is broken."""
    try:
        import logging
        from logging.config import fileConfig
        logging.raiseExceptions = False
        with open(name):
            pass
        fileConfig(name, disable_existing_loggers=False)
        logger = logging.getLogger(LOGGER)
        record = new_record(WARNING, "-", dict(NO_PEER, association=0, text="-"))
        for handler in logger.handlers + logging.getLogger().handlers * bool(logger.propagate):
            if isinstance(handler, logging.StreamHandler) and handler.__class__.__module__.startswith("logging"):
                handler.filters or handler.format(record)       # its format may name what no record has
    except Exception as error:  # whatever is wrong in it: ConfigParser, import, attribute and file errors
        reason = escaped(" ".join(str(getattr(error, "strerror", None) or str(error) or type(error).__name__).split()))
        other = isinstance(error, EnvironmentError) and error.filename      # a file that it names
        if other and other != name:
            reason = "%s: %s" % (quoted(other), reason)
        raise UsageError("option -lc: %s cannot be used: %s" % (quoted(name), reason))
    if level is not None:
        logger.setLevel(level)


def learn_uid_names():
    """Take over the names of UIDs from pydicom, where it is installed. This is the only place that looks for it."""
    try:
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pydicom.uid import UID_dictionary
        for uid, entry in UID_dictionary.items():
            UID_NAMES.setdefault(uid, escaped(entry[0]))
    except Exception:   # a package that this program does not need must not be able to stop it
        pass
