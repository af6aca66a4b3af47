"""What is made from the sources: the manual page and the picture of the state machine.

``python setup.py manpage`` and ``python setup.py states`` write them; ``--check`` compares.
"""
import os
import re
import subprocess
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from setup import read, version  # noqa: E402

from dul import codes, fsm, options, words  # noqa: E402


def between(text, name):
    """What stands between ``.. NAME begin`` and ``.. NAME end``."""
    return text.split(".. %s begin\n" % name)[1].split(".. %s end\n" % name)[0].strip("\n")


def diagnoses(text):
    """README's table of diagnoses: a list of (what is printed, as a list; its meaning; what to do)."""
    rows = between(text, "diagnoses").split("\n   * - ")[2:]
    found = []
    for row in rows:
        printed, meaning, remedy = re.split(r"\n     - ", row)
        found.append(([" ".join(each.split()) for each in re.findall(r"``(.+?)``", printed, re.DOTALL)],
                      " ".join(meaning.split()), " ".join(remedy.split())))
    return found


# ---- the manual page

WIDTH = 80              # characters of a line of its source

SECTIONS = '''
.SH DICOM CONFORMANCE
.B echoscp
supports the following SOP class as an SCP:
.PP
.TS
tab(@);
l l.
{sop_class}
.TE
.PP
The supported transfer syntaxes are:
.PP
.TS
tab(@);
l l.
{syntaxes}
.TE
.PP
The conformance statement,
.IR docs/CONFORMANCE.rst ,
has every status, limit and leniency.
.SH EXIT STATUS
.TP
.B 0
.B \\-\\-help
or
.B \\-\\-version
was printed.
.TP
.B 1
The port cannot be listened on, or the text of
.B \\-\\-help
or
.B \\-\\-version
could not be written.
.TP
.B 2
The command line, the logging configuration file, or the socket that the service manager handed over is refused.
One line on standard error says why.
.PP
The program runs until a signal ends it, and then ends by that signal.
Where no signal can end a process (the first process of a container, Windows), the exit status is 128 and the number of the
signal.
.SH SIGNALS
.TP
.BR SIGINT ", " SIGTERM ", " SIGHUP
No further connection is accepted, open associations are aborted, and the process ends within two seconds.
A second signal ends it at once.
A signal that was ignored when the program was started, as
.BR nohup (1)
does with SIGHUP, stays ignored.
.TP
.B SIGTTOU
is ignored, so that a line to a terminal does not stop the process.
.SH ENVIRONMENT
.TP
.BR LISTEN_PID ", " LISTEN_FDS
The socket that
.BR systemd (1)
hands over, in place of one of its own.
Its port must be the port of the command line.
.TP
.B NOTIFY_SOCKET
The socket that is told READY=1 and STOPPING=1.
'''
EXAMPLES = '''
.SH EXAMPLES
To answer C\\-ECHO on port 11112, with the lines that a good echo has:
.PP
.EX
$ echoscp 11112 \\-v
{lines}
.EE
.PP
To send it an echo, with DCMTK:
.PP
.EX
$ echoscu \\-v 127.0.0.1 11112
.EE
.PP
To see everything, and to end associations that are silent for five minutes:
.PP
.EX
$ echoscp 11112 \\-d \\-td 300
.EE
.PP
To keep a log in files:
.PP
.EX
$ echoscp 11112 \\-lc docs/logging.ini
.EE
.SH SEE ALSO
.IR README.rst ,
.IR docs/CONFORMANCE.rst ,
.I docs/SECURITY.rst
.PP
The DICOM standard: PS3.8 (upper layer), PS3.7 9.1.5 and 9.3.5 (C\\-ECHO), PS3.5 10 and Annex A (transfer syntaxes),
PS3.6 Table A\\-1 (UIDs).
The Python documentation,
.IR "Configuration file format" ,
for
.BR \\-lc .
'''
DESCRIPTION = '''
.SH DESCRIPTION
.B echoscp
implements a Service Class Provider (SCP) for the Verification SOP Class.
It listens on a TCP port, accepts associations of peer application entities, and answers each C\\-ECHO\\-RQ by a C\\-ECHO\\-RSP.
It is used to verify that a peer can reach this host and speak DICOM to it.
When something else than an echo arrives, one line on standard error says what it was.
.PP
.I port
is a number from 1 to 65535.
Options stand before or after it.
'''
AFTER_OPTIONS = '''
.PP
A timeout of 0 is no limit, but with
.B \\-ta 0
the wait for the peer to close its connection, and each send, have 30 seconds.
Of
.BR \\-q ,
.BR \\-v ,
.B \\-d
and
.B \\-ll
one may be given, and of
.BR \\-x= ,
.BR \\-xe ,
.B \\-xb
and
.BR \\-xi .
'''


def roff(text):
    """Plain text for a manual page."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(["\\&" + line if line[:1] in (".", "'") else line for line in text.splitlines()])


def option_groups(lines):
    """[(group, [(its spellings, name of its value, its meaning)])] of the option table."""
    groups = []
    for line in lines.strip("\n").splitlines():
        if not line.startswith(" "):
            groups.append((line, []))
        elif line.strip().startswith("-") and line[:12].strip():
            names = [name for name in line[:25].split() if name.startswith("-")]
            groups[-1][1].append([names, line[25:39].strip(), line[39:].strip()])
        else:
            groups[-1][1][-1][2] += " " + line.strip()
    return groups


def man_page():
    """The text of docs/echoscp.1."""
    readme, changes = read("README.rst"), read("docs", "CHANGELOG.rst")
    date = re.search(r"^Released (\d{4}-\d\d-\d\d)\.$", changes, re.MULTILINE).group(1)
    parts = ["'\\\" t\n.\\\" Made by \"python setup.py manpage\": do not edit.",
             '.TH ECHOSCP 1 "%s" "echoscp %s" "User Commands"' % (date, version()),
             ".SH NAME\nechoscp \\- answer DICOM C\\-ECHO requests",
             ".SH SYNOPSIS\n.B echoscp\n.RI [ options ]\n.I port", DESCRIPTION.strip(), ".SH OPTIONS"]
    for group, entries in option_groups(options.OPTION_LINES):
        parts.append(".SS %s" % group)
        for names, value, meaning in entries:
            head = ", ".join(["\\fB%s\\fR" % roff(name) for name in names])
            if value:
                head += " \\fI%s\\fR" % value
            parts.append(".TP\n%s\n%s" % (head, roff(meaning[:1].upper() + meaning[1:] + ".")))
    parts.append(AFTER_OPTIONS.strip())
    names = [(uid.decode("ascii"), words.UID_NAMES[uid.decode("ascii")]) for uid in (
        codes.VERIFICATION, codes.IMPLICIT_LITTLE, codes.EXPLICIT_LITTLE, codes.EXPLICIT_BIG)]
    rows = ["%s@%s" % row for row in names]
    parts.append(SECTIONS.format(sop_class=rows[0], syntaxes="\n".join(rows[1:])).strip())
    parts.append(".SH DIAGNOSTICS\nWhat goes wrong with a peer is explained in one line, which begins with W: and the "
                 "address of the peer.\nThey are left out here.")
    for printed, meaning, remedy in diagnoses(readme):
        heads = ["\\fB%s\\fR" % roff(line) for line in printed]
        parts.append(".TP\n" + "\n.TQ\n".join(heads) + "\n" + "\n".join(
            sentence for sentence in re.split(r"(?<=[.:]) (?=[A-Z])", plain(meaning) + " " + plain(remedy))))
    lines = "".join(re.findall(r"^    (I: .*\n)", readme, re.MULTILINE)[:4]).rstrip("\n")
    parts.append(EXAMPLES.format(lines=roff(lines)).strip())
    return "\n".join([filled(line) for line in "\n".join(parts).splitlines()]) + "\n"


def filled(line):
    """A line of text in lines of WIDTH characters. Requests, and the heads of tagged paragraphs, stay one line."""
    if line.startswith((".", "\\fB", "$", "I: ")) or len(line) <= WIDTH:
        return line
    return "\n".join(textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False))


def plain(text):
    """A sentence of README without its markup, for a manual page."""
    text = re.sub(r"; see `[^`]+`_|, or see `[^`]+`_", "", text)
    return re.sub(r"``(.+?)``", r"\\fB\1\\fR", roff(text))


# ---- the state machine

ACCEPTOR = ("Sta1", "Sta2", "Sta3", "Sta6", "Sta7", "Sta8", "Sta10", "Sta12", "Sta13")
GOOD_ECHO = (("Sta1", "Evt5"), ("Sta2", "Evt6"), ("Sta3", "Evt7"), ("Sta6", "Evt10"), ("Sta6", "Evt9"), ("Sta6", "Evt12"),
             ("Sta8", "Evt14"), ("Sta13", "Evt17"))
END = "end"             # Sta1 once more: there the association is over


def steps():
    """(state, event, action, next state) of each cell that an acceptor can come to, by name, in the table's order."""
    rows = [line.split() for line in fsm.TABLE_LINES.strip().splitlines()]
    for row in rows[1:]:
        for state, name in zip(rows[0], row[1:]):
            if name == "." or state not in ACCEPTOR:
                continue
            following = fsm.ACTIONS[name].next_states
            for each in sorted(set(each.name for each in (following if name == "AE-6" else following[1:]))):
                if each in ACCEPTOR:
                    yield state, row[0], name, each


def states_dot():
    """The picture as the source text of graphviz."""
    lines = ["// The acceptor's part of PS3.8 Table 9-10. Bold: the way of a good echo.",
             "digraph states {", '  graph [fontname="Helvetica", rankdir=TB, nodesep=0.6, ranksep=0.7];',
             '  node [fontname="Helvetica", fontsize=11, shape=box, style=rounded];',
             '  edge [fontname="Helvetica", fontsize=9];']
    for state in fsm.STATES:
        if state.name in ACCEPTOR:
            lines.append('  %s [label="%s\\n%s"];' % (state.name, state.name, wrapped(state.meaning, 26)))
    lines.append('  %s [label="Sta1\\nidle again"];' % END)
    meanings = dict((each.name, each.meaning) for each in fsm.EVENTS)
    bold, thin = [], {}
    for state, event, action, following in steps():
        way = state, END if following == "Sta1" else following
        if (state, event) in GOOD_ECHO and (action, following) != ("AE-6", "Sta13"):
            bold.append((GOOD_ECHO.index((state, event)), way, "%s: %s\\n%s: %s" % (
                event, meanings[event], action, wrapped(fsm.ACTIONS[action].meaning.split("; ")[0], 40))))
        else:
            thin.setdefault(way, {}).setdefault(action, []).append(event)
    labels = {}
    for _, way, label in sorted(bold):
        labels[way] = labels.get(way, "") + label + "\\n"
    for way in sorted(labels, key=[way for _, way, _ in sorted(bold)].index):
        lines.append('  %s -> %s [label="%s", penwidth=3, fontsize=10, weight=20];' % (way + (labels[way],)))
    for way, actions in sorted(thin.items()):
        label = "\\n".join("%s: %s" % (", ".join(events), action) for action, events in sorted(actions.items()))
        lines.append('  %s -> %s [label="%s", color=gray40];' % (way + (label,)))
    return "\n".join(lines + ["}"]) + "\n"


def wrapped(text, width):
    """Text in lines of a label."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\\n".join(lines)


def source_of(svg):
    """The source text that a picture was made from: its last comment."""
    return svg.rsplit("<!--\n", 1)[-1].rsplit("-->", 1)[0]


def states_svg():
    """The text of docs/states.svg: graphviz's picture, with its source in a comment."""
    source = states_dot()
    process = subprocess.Popen(["dot", "-Tsvg"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    svg = process.communicate(source.encode("ascii"))[0].decode("utf-8")
    if process.returncode:
        raise EnvironmentError("graphviz failed")
    svg = re.sub(r"<!-- Generated by graphviz.*?-->\n", "", svg, flags=re.DOTALL)
    return svg + "<!--\n%s-->\n" % source
