"""``echoscp [options] port``: logging set-up, signals, and ``main()``."""
import errno
import os
import signal
import socket
import sys
import threading

from dul.codes import VERSION
from dul.compat import SIGNAL_PAUSE, WINDOWS, Stderr, ending_signals, escaped, raise_file_limit, wake_on_signal
from dul.options import UsageError, help_text, parse, quoted, transfer_syntaxes
from dul.report import CRITICAL, LOGGER, Report
from dul.server import EchoServer
from dul.steward import find_steward
from dul.systemd import handed_over, notify

PROGRAM = "echoscp.py"
LINE_FORMAT = "%(levelname).1s: %(message)s"
FAILURE, REFUSED = 1, 2         # exit statuses
SILENT = CRITICAL + 1


def log_level(chosen):
    """The level that the command line asks for; None for the default."""
    for option, level in (("--quiet", SILENT), ("--verbose", "INFO"), ("--debug", "DEBUG")):
        if option in chosen:
            return level
    return chosen["--log-level"].upper() if "--log-level" in chosen else None


def log_to_standard_error(level):
    """Set up the logger as the manual shows its lines. May be called twice."""
    import logging
    logging.raiseExceptions = False     # what cannot be logged is lost, and nothing else
    logger = logging.getLogger(LOGGER)
    if not logger.handlers:
        handler = logging.StreamHandler(Stderr())
        handler.setFormatter(logging.Formatter(LINE_FORMAT))
        logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level or logging.WARNING)
    logging.getLogger("pydicom").disabled = True    # it would show what a peer sent, unescaped


def log_by_file(name, level):
    """Set up the logger by a configuration file.

    :raises UsageError: where it is missing or broken
    """
    import logging
    from logging.config import fileConfig
    logging.raiseExceptions = False
    try:
        with open(name):
            pass
        fileConfig(name, disable_existing_loggers=False)
    except Exception as error:  # whatever is wrong in it: ConfigParser, import, attribute and file errors
        reason = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
        raise UsageError("option -lc: %s cannot be used: %s" % (quoted(name), escaped(reason)))
    if level is not None:
        logging.getLogger(LOGGER).setLevel(level)


def main(arguments=None, launch=None):
    """Run the program. It ends by ``sys.exit()`` or by the signal that stopped it.

    :param arguments: list of strings; ``sys.argv`` without the program's name where it is None
    :param launch: called with a function that serves and ends the process, to run it elsewhere, and with one to call
        with each signal; returns whether it does so; where it does not, or is None, main() does not return
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # until the server catches it: no traceback
    fill_standard_files()
    try:
        chosen = parse(sys.argv[1:] if arguments is None else arguments)
        if "--help" in chosen:
            sys.exit(say(1, help_text()))
        if "--version" in chosen:
            sys.exit(say(1, "%s %s\n" % (PROGRAM, VERSION)))
        if "--log-config" in chosen:
            log_by_file(chosen["--log-config"], log_level(chosen))
        elif log_level(chosen) is not None:
            log_to_standard_error(log_level(chosen))
        try:
            listener = handed_over(os.environ)
        except ValueError as error:
            raise UsageError(str(error))
        if listener is not None and listener.getsockname()[1] != chosen["port"]:
            raise UsageError("port %d is not the port of the socket handed over (LISTEN_FDS), which is %d" % (
                chosen["port"], listener.getsockname()[1]))
    except UsageError as error:
        say(2, "%s: %s\n" % (PROGRAM, error))
        sys.exit(REFUSED)
    run(chosen, listener, launch)


def run(chosen, listener, launch):
    """Listen, serve until a signal comes, and end by it."""
    raise_file_limit()
    port, report = chosen["port"], Report()
    given = {"ae_title": chosen.get("--aetitle"), "timeout": chosen.get("--timeout"),
             "acse_timeout": chosen.get("--acse-timeout"), "dimse_timeout": chosen.get("--dimse-timeout"),
             "maximum_length": chosen.get("--max-pdu"), "transfer_syntaxes": transfer_syntaxes(chosen)}
    report.lines(["$%s v%s" % (PROGRAM, VERSION), ""])
    try:
        server = EchoServer(port, listener=listener, report=report, steward=find_steward(),
                            **{name: value for name, value in given.items() if value is not None})
    except (socket.error, OSError) as error:
        log_unless_set_up(chosen)
        report.log(CRITICAL, "cannot listen on port %d: %s%s" % (
            port, error.strerror or error, ADVICE.get(error.errno, "")))
        sys.exit(FAILURE)
    report.lines(["Listening on port %d (%s) as %s" % (
        port, "IPv6 and IPv4" if server.socket.family != socket.AF_INET else "IPv4", server.settings.ae_title)])
    log_unless_set_up(chosen)
    received = []

    def serve():
        """Serve until a signal comes, and end by it."""
        notify(os.environ, "READY=1")
        server.serve_forever(SIGNAL_PAUSE)
        notify(os.environ, "STOPPING=1")
        report.lines([report.summary()])
        end_by(received[0])

    def stop(number, _=None):
        """A signal has come: the first one stops the server, the second one ends the process at once."""
        received.append(number)
        if len(received) > 1:
            end_by(number)
        server.request_stop()

    # with -d and -lc, modules may be imported later that expect that the script goes on
    if "--log-config" in chosen or log_level(chosen) == "DEBUG" or launch is None or not launch(serve, stop):
        catch_signals(server, stop)
        serve()


def log_unless_set_up(chosen):
    """The default set-up, which waits until the server listens: logging takes longer to import than most."""
    if "--log-config" not in chosen and log_level(chosen) is None:
        log_to_standard_error(None)


ADVICE = {errno.EACCES: "; ports below 1024 need privileges", errno.EPERM: "; ports below 1024 need privileges",
          errno.EADDRINUSE: "; another program listens there"}


def catch_signals(server, stop):
    """Have ``stop`` called with each signal, and the server woken."""
    for number in ending_signals():
        signal.signal(number, stop)
    wake_on_signal(server.ringer)


def end_by(number):
    """End as a process that this signal ended, as shells and service managers expect."""
    if WINDOWS:
        sys.exit(128 + number)
    try:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    except ValueError:      # only the main thread may do that; in others nobody handles it, but it is blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.pthread_kill(threading.current_thread().ident, number)
    os._exit(128 + number)      # still here: no signal of its own ends the first process of a container


def fill_standard_files():
    """Open what of standard input, output and error is closed, or the next socket would be taken for it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def say(number, text):
    """Write to standard output or error. Returns the exit status: of a failure, where nobody can read it."""
    try:
        os.write(number, text.encode("ascii", "backslashreplace"))
        return 0
    except OSError:
        return FAILURE
