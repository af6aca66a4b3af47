"""The DICOM Upper Layer state machine: PS3.8 9.2 and its Table 9-10, as data. Only this file decides state.

States, events and actions have the standard's names. A cell that is blank in the standard is absent here, and
asking for it is an error. Requestor cells are kept too, because the table is checked whole.
"""


class State(object):
    """One of the 13 states of PS3.8 Table 9-1 to 9-5."""

    __slots__ = ("name", "meaning")

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning

    def __repr__(self):
        return self.name


class Event(object):
    """One of the 19 events of PS3.8 Table 9-10."""

    __slots__ = ("name", "meaning")

    def __init__(self, name, meaning):
        self.name = name
        self.meaning = meaning

    def __repr__(self):
        return self.name


class Action(object):
    """One of the 28 actions of PS3.8 Tables 9-6 to 9-9.

    :param next_states: one state, or two where the action itself finds out which (AE-6 and AR-8 alone)
    :param artim: for each next state START, STOP, or None where the action leaves the ARTIM timer alone
    :param needs: how much of the PDU received it needs: HEADER (it is carried out before the rest arrives), WHOLE (all
        of it has arrived), CONTENT (it is decoded, too); None for actions that no PDU leads to
    """

    __slots__ = ("name", "next_states", "next_state", "artim", "timer", "needs", "effect", "meaning")

    def __init__(self, name, next_states, artim, needs, meaning):
        self.name = name
        self.next_states = next_states
        self.artim = artim
        self.next_state, self.timer = (next_states[0], artim[0]) if len(next_states) == 1 else (None, None)
        self.needs = needs
        self.effect = name.lower().replace("-", "_")    # the method of Association that carries it out
        self.meaning = meaning

    def __repr__(self):
        return self.name


Sta1 = State("Sta1", "idle")
Sta2 = State("Sta2", "transport connection open, awaiting A-ASSOCIATE-RQ")
Sta3 = State("Sta3", "awaiting local A-ASSOCIATE response")
Sta4 = State("Sta4", "awaiting transport connection opening")
Sta5 = State("Sta5", "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ")
Sta6 = State("Sta6", "association established, ready for data transfer")
Sta7 = State("Sta7", "awaiting A-RELEASE-RP")
Sta8 = State("Sta8", "awaiting local A-RELEASE response")
Sta9 = State("Sta9", "release collision requestor side, awaiting local A-RELEASE response")
Sta10 = State("Sta10", "release collision acceptor side, awaiting A-RELEASE-RP")
Sta11 = State("Sta11", "release collision requestor side, awaiting A-RELEASE-RP")
Sta12 = State("Sta12", "release collision acceptor side, awaiting local A-RELEASE response")
Sta13 = State("Sta13", "awaiting transport connection close")
STATES = (Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13)

Evt1 = Event("Evt1", "A-ASSOCIATE request (local user)")
Evt2 = Event("Evt2", "transport connection confirmed")
Evt3 = Event("Evt3", "A-ASSOCIATE-AC received")
Evt4 = Event("Evt4", "A-ASSOCIATE-RJ received")
Evt5 = Event("Evt5", "transport connection indication")
Evt6 = Event("Evt6", "A-ASSOCIATE-RQ received")
Evt7 = Event("Evt7", "A-ASSOCIATE response: accept (local user)")
Evt8 = Event("Evt8", "A-ASSOCIATE response: reject (local user)")
Evt9 = Event("Evt9", "P-DATA request (local user)")
Evt10 = Event("Evt10", "P-DATA-TF received")
Evt11 = Event("Evt11", "A-RELEASE request (local user)")
Evt12 = Event("Evt12", "A-RELEASE-RQ received")
Evt13 = Event("Evt13", "A-RELEASE-RP received")
Evt14 = Event("Evt14", "A-RELEASE response (local user)")
Evt15 = Event("Evt15", "A-ABORT request (local user)")
Evt16 = Event("Evt16", "A-ABORT received")
Evt17 = Event("Evt17", "transport connection closed")
Evt18 = Event("Evt18", "ARTIM timer expired")
Evt19 = Event("Evt19", "unrecognized or invalid PDU received")
EVENTS = (Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15, Evt16, Evt17,
          Evt18, Evt19)

START, STOP = "start", "stop"
HEADER, WHOLE, CONTENT = "header", "whole", "content"

# PS3.8 Tables 9-6 to 9-9: action, next state, what becomes of the ARTIM timer, how much of the PDU it needs, effect.
ACTION_LINES = """
AE-1   Sta4        -           -        open the transport connection
AE-2   Sta5        -           -        send A-ASSOCIATE-RQ
AE-3   Sta6        -           content  confirm the association to the user
AE-4   Sta1        -           content  confirm the rejection to the user, close
AE-5   Sta2        start       -        accept the transport connection
AE-6   Sta3/Sta13  stop/start  content  acceptable: indicate the association to the user; if not: send A-ASSOCIATE-RJ
AE-7   Sta6        -           -        send A-ASSOCIATE-AC
AE-8   Sta13       start       -        send A-ASSOCIATE-RJ
DT-1   Sta6        -           -        send P-DATA-TF
DT-2   Sta6        -           content  hand the P-DATA to the user
AR-1   Sta7        -           -        send A-RELEASE-RQ
AR-2   Sta8        -           whole    indicate the release to the user
AR-3   Sta1        -           whole    confirm the release to the user, close
AR-4   Sta13       start       -        send A-RELEASE-RP
AR-5   Sta1        stop        -        stop ARTIM
AR-6   Sta7        -           content  hand the P-DATA to the user
AR-7   Sta8        -           -        send P-DATA-TF
AR-8   Sta9/Sta10  -           whole    indicate the release collision to the user
AR-9   Sta11       -           -        send A-RELEASE-RP
AR-10  Sta12       -           whole    confirm the release to the user
AA-1   Sta13       start       header   send A-ABORT (service-user)
AA-2   Sta1        stop        content  close the transport connection
AA-3   Sta1        -           content  indicate the abort to the user, close
AA-4   Sta1        -           -        indicate the loss of the connection to the user
AA-5   Sta1        stop        -        stop ARTIM
AA-6   Sta13       -           whole    ignore the PDU
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
    """The actions of ACTION_LINES by name."""
    words = {word: word for word in (START, STOP, HEADER, WHOLE, CONTENT)}
    actions = {}
    for line in lines.strip().splitlines():
        name, following, timer, needs, meaning = line.split(None, 4)
        following = tuple([states[state] for state in following.split("/")])
        timer = tuple([words.get(word) for word in timer.split("/")])
        actions[name] = Action(name, following, timer * (len(following) // len(timer)), words.get(needs), meaning)
    return actions


def read_table(lines, states, events, actions):
    """{event: {state: action}} of TABLE_LINES; blank cells are absent."""
    rows = [line.split() for line in lines.strip().splitlines()]
    return {events[row[0]]: {states[state]: actions[name] for state, name in zip(rows[0], row[1:]) if name != "."}
            for row in rows[1:]}


STATES_BY_NAME = {state.name: state for state in STATES}
ACTIONS = read_actions(ACTION_LINES, STATES_BY_NAME)
TABLE = read_table(TABLE_LINES, STATES_BY_NAME, {event.name: event for event in EVENTS}, ACTIONS)


class Undefined(Exception):
    """An event that PS3.8 Table 9-10 leaves blank in this state: a mistake of the program, never a peer's doing."""

    def __init__(self, state, event):
        Exception.__init__(self, state, event)

    def __str__(self):
        state, event = self.args
        return "%s (%s) has no cell in %s (%s)" % (event, event.meaning, state, state.meaning)


class Machine(object):
    """The state of one association. It starts in Sta1 and is over when it is there again."""

    __slots__ = ("state",)

    def __init__(self):
        self.state = Sta1

    def action(self, event):
        """The action of this event in this state.

        :raises Undefined: where the table has no cell
        """
        try:
            return TABLE[event][self.state]
        except KeyError:
            raise Undefined(self.state, event)

    def enter(self, action, branch=0):
        """Go to the action's next state; ``branch`` picks it where there are two. Returns START, STOP or None."""
        if action.next_state is not None:
            self.state = action.next_state
            return action.timer
        self.state = action.next_states[branch]
        return action.artim[branch]

    def allows(self, event):
        """Whether the table has a cell for this event now."""
        return self.state in TABLE[event]

    def stays(self, events):
        """Whether each of these events may happen now, and leaves the state as it is."""
        here = [TABLE[event].get(self.state) for event in events]
        return None not in here and all([action.next_state is self.state for action in here])

    @property
    def over(self):
        """Whether there is no association and no connection (Sta1)."""
        return self.state is Sta1
