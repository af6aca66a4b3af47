"""The command line: one table of options, which is also the help, and one loop that reads by it.

Neither getopt nor argparse can express these options exactly: both cluster or abbreviate them, and ``-x=`` is a name.
"""
from dul.compat import PREFER_LOCAL
from dul.server import LARGEST_PORT
from dul.settings import IMPLICIT_ONLY, PREFER_BIG, PREFER_LITTLE, check_maximum_length, check_seconds, check_title
from dul.text import escaped

USAGE = "echoscp [options] port"

# A group, then its options: short form, long form, name of the value (if it takes one), meaning.
OPTION_LINES = """
General
  -h    --help                         print this help text and exit
        --version                      print the version and exit
Logging
  -q    --quiet                        quiet mode, prints no warnings or errors
  -v    --verbose                      verbose mode, prints processing details
  -d    --debug                        debug mode, prints debugging information
  -ll   --log-level        [l]evel     one of critical, error, warning, info,
                                       debug: prints messages of level l or
                                       higher (default: warning)
  -lc   --log-config       [f]ilename  use python logging config file f for the
                                       logger
Application Entity Titles
  -aet  --aetitle          [a]etitle   set my AE title (default: ECHOSCP)
Miscellaneous DICOM
  -to   --timeout          [s]econds   timeout for connection requests
                                       (default: unlimited)
  -ta   --acse-timeout     [s]econds   timeout for ACSE messages (default: 30)
  -td   --dimse-timeout    [s]econds   timeout for DIMSE messages
                                       (default: unlimited)
  -pdu  --max-pdu          [n]umber    set maximum receive PDU bytes to n bytes
                                       (default: 16384; 0: unlimited)
Preferred Transfer Syntaxes
  -x=   --prefer-uncompr               prefer explicit VR local byte order
                                       (default)
  -xe   --prefer-little                prefer explicit VR little endian
                                       transfer syntax
  -xb   --prefer-big                   prefer explicit VR big endian transfer
                                       syntax
  -xi   --implicit                     accept implicit VR little endian
                                       transfer syntax only
"""
HELP = "usage: %s\n\nA DICOM Verification (C-ECHO) SCP: answers C-ECHO requests on a TCP port.\n%s" % (USAGE, OPTION_LINES)
LEVELS = ("critical", "error", "warning", "info", "debug")
LONGEST_NUMBER = 10     # digits: as many as the largest of all has

# Options of one group contradict each other; for the others, the last one wins.
LEVEL_OPTIONS = ("--quiet", "--verbose", "--debug", "--log-level")
SYNTAX_OPTIONS = {"--prefer-uncompr": PREFER_LOCAL, "--prefer-little": PREFER_LITTLE, "--prefer-big": PREFER_BIG,
                  "--implicit": IMPLICIT_ONLY}


class UsageError(Exception):
    """A command line that is refused, and why."""


def read_options(lines):
    """({spelling: long form} of all options, long forms of those that take a value)."""
    spellings = {}      # type: dict
    with_value = set()
    for words in [line.split() for line in lines.splitlines() if line[:12].strip()[:1] == "-"]:
        names = [word for word in words[:2] if word.startswith("-")]
        spellings.update((name, names[-1]) for name in names)
        if words[len(names)].startswith("["):
            with_value.add(names[-1])
    return spellings, with_value


def parse(arguments):
    """What a command line asks for: {long form: value, or True}, and ``port``. UsageError has the user's line."""
    spellings, with_value = read_options(OPTION_LINES)
    chosen, typed, ports, rest = {}, {}, [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, value = split(argument, spellings)
        if name not in spellings:
            if argument.startswith("-") and argument != "-":
                raise UsageError("unknown option %s%s" % (quoted(argument), hint(argument, spellings, with_value)))
            ports.append(argument)
            continue
        option = spellings[name]
        if option not in with_value:
            if value is not None:
                raise UsageError("option %s takes no value, it was given %s" % (name, quoted(value)))
            chosen[option] = True
        else:
            if value is None:
                if not rest or split(rest[0], spellings)[0] in spellings:
                    raise UsageError("option %s needs a value: %s" % (name, due(option)))
                value = rest.pop(0)
            chosen[option] = checked(option, name, value)
        typed[option] = name
        contradict(typed, option)
        if option in ("--help", "--version"):
            return chosen
    chosen["port"] = the_port(ports)
    return chosen


def split(argument, spellings):
    """(option, value) of ``--option=value``; the value is None where there is none, as in ``-x=``."""
    if argument not in spellings and argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return name, value if equals else None
    return argument, None


def the_port(ports):
    """The port of the arguments that are no options. Raises UsageError unless there is one, and in its range."""
    if len(ports) != 1:
        raise UsageError("one port is needed (1 to %d), %s" % (
            LARGEST_PORT, "%d were given: %s" % (len(ports), " ".join([quoted(port) for port in ports]))
            if ports else "none was given; --help shows the options"))
    port = number(ports[0])
    if port is None or not 1 <= port <= LARGEST_PORT:
        raise UsageError("port %s is not allowed: 1 to %d" % (quoted(ports[0]), LARGEST_PORT))
    return port


def checked(option, name, text):
    """The value of an option. Raises UsageError where it is out of its range."""
    value = text if option in TEXTS else number(text)
    try:
        return CHECKS[option](-1 if value is None else value)   # -1 is never right
    except ValueError as error:
        raise UsageError("option %s: %s is not allowed: %s" % (name, quoted(text), error))


def check_level(name):
    """A log level. Raises ValueError that says what is allowed."""
    if name not in LEVELS:
        raise ValueError("one of " + ", ".join(LEVELS))
    return name


def check_file(name):
    """A file name. Raises ValueError that says what is allowed."""
    if not name:
        raise ValueError("the name of a logging configuration file")
    return name


TEXTS = ("--log-level", "--log-config", "--aetitle")
CHECKS = {"--log-level": check_level, "--log-config": check_file, "--aetitle": check_title, "--timeout": check_seconds,
          "--acse-timeout": check_seconds, "--dimse-timeout": check_seconds, "--max-pdu": check_maximum_length}


def due(option):
    """What would be right, found by asking the check for a value that never is."""
    try:
        return CHECKS[option]("" if option in TEXTS else -1)
    except ValueError as error:
        return str(error)


def number(text):
    """The number that plain decimal digits are; None for anything else, however close."""
    if not text or text.strip("0123456789"):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits[:LONGEST_NUMBER + 1])


def contradict(typed, option):
    """Raise UsageError where another option of its group is ``typed``, too: {long form: spelling}."""
    for group in (LEVEL_OPTIONS, SYNTAX_OPTIONS):
        for other in group if option in group else ():
            if other in typed and other != option:
                raise UsageError("options %s and %s contradict each other: one of %s is allowed" % (
                    typed[other], typed[option], ", ".join(sorted(group))))


def hint(argument, spellings, with_value):
    """The nearest spelling, as a question, or nothing."""
    name, equals, value = argument.partition("=")
    if equals and spellings.get(name) in with_value:
        return "; did you mean '%s %s'?" % (name, escaped(value))
    near = [each for each in sorted(spellings) if each in (argument.lower(), "-" + argument, argument[1:], name)
            or name[:2] == "--" != name and each.startswith(name)]
    try:
        import difflib
        near += difflib.get_close_matches(argument, sorted(spellings), 1, 0.6)
    except ImportError:     # a stripped-down Python
        pass
    return "; did you mean %s?" % near[0] if near else "; --help shows the options"


def quoted(text):
    """What the user typed, on one line whatever it holds."""
    return "'%s'" % escaped(text)
