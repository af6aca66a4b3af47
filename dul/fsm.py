"""The DICOM Upper Layer state machine: PS3.8 9.2 and its Table 9-10, as data. Only this file decides state.

How it works
    A *state* says how far an association has come. The acceptor of an association begins in Sta1 (nothing is open),
    waits in Sta2 for the A-ASSOCIATE-RQ and in Sta3 for its own user's answer to it, exchanges data in Sta6, answers
    a release in Sta8, and waits in Sta13 for the peer to close the connection. Sta7, Sta10 and Sta12 are reached only
    by a release that this side began. Sta4, Sta5, Sta9 and Sta11 belong to the requestor; they are kept, because the
    table is checked whole against the standard.

    An *event* is something that happened: a PDU came (Evt3, 4, 6, 10, 12, 13, 16; Evt19 for one that is invalid), the
    transport connection opened or closed (Evt2, 5, 17), the ARTIM timer expired (Evt18), or the local user wants
    something (Evt1, 7, 8, 9, 11, 14, 15). The local user of this program is the program itself: it accepts or rejects
    (Evt7, Evt8), sends the C-ECHO-RSP (Evt9), agrees to a release (Evt14), and aborts where a message cannot be
    answered, a timeout of -td ends, or the server stops (Evt15).

    An *action* is what is done about an event, and it leads to the next state. The table names one action for each
    event in each state. A blank cell is an event that cannot happen there; it raises Undefined.

    The *ARTIM timer* (9.1.4) keeps a peer from holding a connection open without an association: it runs in Sta2 and
    Sta13 alone, and its expiry closes the connection.

How it is used
    association.Association, a Machine, turns each thing that happens into an event and gives it to handle(), which goes
    to the next state, starts or stops ARTIM as the action says, and calls the method of the action's name (AE-6:
    ``ae_6``). An action that tells the local user may cause the user's own event, which takes the same way. Some
    actions need no more of a PDU than its header: they are carried out before the rest has arrived.
"""
import collections


class Term(object):
    """A state of PS3.8 Tables 9-1 to 9-5, or an event of Table 9-10: its name and what it means."""

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning
        self.cells = {}     # of a state: {event: action}, its column of the table

    def __repr__(self):
        return self.name


# One of the 28 actions of PS3.8 Tables 9-6 to 9-9: its name; its two next states, which are the same but for AE-6
# (acceptable, not acceptable) and AR-8 (association requestor, association acceptor); for each of them what becomes of the
# ARTIM timer (START, STOP, or None); how much it needs of the PDU that led to it (HEADER: the rest is skipped; WHOLE; None
# where no PDU leads to it); what it does.
Action = collections.namedtuple("Action", "name next_states artim needs meaning")

Sta1 = Term("Sta1", "idle")
Sta2 = Term("Sta2", "transport connection open, awaiting A-ASSOCIATE-RQ")
Sta3 = Term("Sta3", "awaiting local A-ASSOCIATE response")
Sta4 = Term("Sta4", "awaiting transport connection opening")
Sta5 = Term("Sta5", "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ")
Sta6 = Term("Sta6", "association established, ready for data transfer")
Sta7 = Term("Sta7", "awaiting A-RELEASE-RP")
Sta8 = Term("Sta8", "awaiting local A-RELEASE response")
Sta9 = Term("Sta9", "release collision requestor side, awaiting local A-RELEASE response")
Sta10 = Term("Sta10", "release collision acceptor side, awaiting A-RELEASE-RP")
Sta11 = Term("Sta11", "release collision requestor side, awaiting A-RELEASE-RP")
Sta12 = Term("Sta12", "release collision acceptor side, awaiting local A-RELEASE response")
Sta13 = Term("Sta13", "awaiting transport connection close")
STATES = (Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13)

Evt1 = Term("Evt1", "A-ASSOCIATE request (local user)")
Evt2 = Term("Evt2", "transport connection confirmed")
Evt3 = Term("Evt3", "A-ASSOCIATE-AC received")
Evt4 = Term("Evt4", "A-ASSOCIATE-RJ received")
Evt5 = Term("Evt5", "transport connection indication")
Evt6 = Term("Evt6", "A-ASSOCIATE-RQ received")
Evt7 = Term("Evt7", "A-ASSOCIATE response: accept (local user)")
Evt8 = Term("Evt8", "A-ASSOCIATE response: reject (local user)")
Evt9 = Term("Evt9", "P-DATA request (local user)")
Evt10 = Term("Evt10", "P-DATA-TF received")
Evt11 = Term("Evt11", "A-RELEASE request (local user)")
Evt12 = Term("Evt12", "A-RELEASE-RQ received")
Evt13 = Term("Evt13", "A-RELEASE-RP received")
Evt14 = Term("Evt14", "A-RELEASE response (local user)")
Evt15 = Term("Evt15", "A-ABORT request (local user)")
Evt16 = Term("Evt16", "A-ABORT received")
Evt17 = Term("Evt17", "transport connection closed")
Evt18 = Term("Evt18", "ARTIM timer expired")
Evt19 = Term("Evt19", "unrecognized or invalid PDU received")
EVENTS = (Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15, Evt16, Evt17,
          Evt18, Evt19)

START, STOP = "start", "stop"
HEADER, WHOLE = "header", "whole"
FIRST, SECOND = 0, 1        # which of an action's two next states

# PS3.8 Tables 9-6 to 9-9: action, next state, what becomes of the ARTIM timer, how much of the PDU it needs, effect.
ACTION_LINES = """
AE-1   Sta4        -           -        open the transport connection
AE-2   Sta5        -           -        send A-ASSOCIATE-RQ
AE-3   Sta6        -           whole    confirm the association to the user
AE-4   Sta1        -           whole    confirm the rejection to the user, close
AE-5   Sta2        start       -        accept the transport connection
AE-6   Sta3/Sta13  stop/start  whole    acceptable: indicate the association to the user; if not: send A-ASSOCIATE-RJ
AE-7   Sta6        -           -        send A-ASSOCIATE-AC
AE-8   Sta13       start       -        send A-ASSOCIATE-RJ
DT-1   Sta6        -           -        send P-DATA-TF
DT-2   Sta6        -           whole    hand the P-DATA to the user
AR-1   Sta7        -           -        send A-RELEASE-RQ
AR-2   Sta8        -           whole    indicate the release to the user
AR-3   Sta1        -           whole    confirm the release to the user, close
AR-4   Sta13       start       -        send A-RELEASE-RP
AR-5   Sta1        stop        -        stop ARTIM
AR-6   Sta7        -           whole    hand the P-DATA to the user
AR-7   Sta8        -           -        send P-DATA-TF
AR-8   Sta9/Sta10  -           whole    indicate the release collision to the user
AR-9   Sta11       -           -        send A-RELEASE-RP
AR-10  Sta12       -           whole    confirm the release to the user
AA-1   Sta13       start       header   send A-ABORT (service-user)
AA-2   Sta1        stop        whole    close the transport connection
AA-3   Sta1        -           whole    indicate the abort to the user, close
AA-4   Sta1        -           -        indicate the loss of the connection to the user
AA-5   Sta1        stop        -        stop ARTIM
AA-6   Sta13       -           header   ignore the PDU
AA-7   Sta13       -           header   send A-ABORT
AA-8   Sta13       start       header   send A-ABORT (service-provider), indicate it to the user
"""

# PS3.8 Table 9-10, laid out as in the standard. A dot is a blank cell.
TABLE_LINES = """
       Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""


def read_actions(lines, states):
    """{name: Action} of ACTION_LINES."""
    words = dict((word, word) for word in (START, STOP, HEADER, WHOLE))
    actions = {}
    for line in lines.strip().splitlines():
        name, following, timer, needs, meaning = line.split(None, 4)
        following = [states[state] for state in (following.split("/") * 2)[:2]]
        timer = [words.get(word) for word in (timer.split("/") * 2)[:2]]
        actions[name] = Action(name, tuple(following), tuple(timer), words.get(needs), meaning)
    return actions


def read_table(lines, states, events, actions):
    """Fill the cells of each state from TABLE_LINES; blank cells are absent."""
    rows = [line.split() for line in lines.strip().splitlines()]
    for row in rows[1:]:
        for state, name in zip(rows[0], row[1:]):
            if name != ".":
                states[state].cells[events[row[0]]] = actions[name]


STATES_BY_NAME = dict((state.name, state) for state in STATES)
ACTIONS = read_actions(ACTION_LINES, STATES_BY_NAME)
read_table(TABLE_LINES, STATES_BY_NAME, dict((event.name, event) for event in EVENTS), ACTIONS)


class Undefined(Exception):
    """An event that PS3.8 Table 9-10 leaves blank in this state: a mistake of the program, never a peer's doing."""

    def __str__(self):
        state, event = self.args
        return "%s (%s) has no cell in %s (%s)" % (event, event.meaning, state, state.meaning)


class Machine(object):
    """The state of one association, and the driver of the table. It starts in Sta1, and is over when it is there again.

    A subclass has artim(), moved(), and methods for the actions.

    :param methods: {name of an action: the function that carries it out}, of those that it can come to
    :param trace: whether moved() is called
    """

    __slots__ = ("state", "methods", "trace")

    def __init__(self, methods, trace):
        self.state = Sta1
        self.methods = methods
        self.trace = trace

    def handle(self, event, value=None, branch=SECOND):
        """Go to the next state, and carry out the action, as the table says. Raises Undefined where it has no cell.

        :param value: what came with the event; the action says of which type
        :param branch: FIRST or SECOND where the action has two next states: AE-6 has FIRST for an acceptable request
        """
        state = self.state
        try:
            name, next_states, artim, _, _ = state.cells[event]
        except KeyError:
            raise Undefined(state, event)
        self.state = next_states[branch]
        if self.trace:
            self.moved(state, event, name)
        if artim[branch]:
            self.artim(artim[branch])
        self.methods[name](self, value)

    def moved(self, state, event, action):
        """A step from ``state`` to the present one."""

    def artim(self, what):
        """START or STOP the ARTIM timer."""

    def allows(self, event):
        """Whether the table has a cell for this event now."""
        return event in self.state.cells

    @property
    def over(self):
        """Whether there is no association and no connection (Sta1)."""
        return self.state is Sta1

    @property
    def associated(self):
        """Whether there is an association: accepted or to be accepted, and not released, rejected or aborted."""
        return self.state not in (Sta1, Sta2, Sta13)

    @property
    def closing(self):
        """Whether all is said, and only the end of the connection is awaited (Sta13)."""
        return self.state is Sta13
