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
    :param artim: START, STOP, or None where the action leaves the ARTIM timer alone; where there are two next
        states, a pair
    :param content: whether it uses what stands in the PDU received, which must then be read and decoded first
    """

    __slots__ = ("name", "meaning", "next_states", "artim", "content", "effect")

    def __init__(self, name, meaning, next_states, artim=None, content=False):
        self.name = name
        self.meaning = meaning
        self.next_states = next_states
        self.artim = artim if isinstance(artim, tuple) else (artim,) * len(next_states)
        self.content = content
        self.effect = name.lower().replace("-", "_")    # the method of Association that carries it out

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

AE_1 = Action("AE-1", "open the transport connection", (Sta4,))
AE_2 = Action("AE-2", "send A-ASSOCIATE-RQ", (Sta5,))
AE_3 = Action("AE-3", "confirm the association to the user", (Sta6,), content=True)
AE_4 = Action("AE-4", "confirm the rejection to the user, close", (Sta1,), content=True)
AE_5 = Action("AE-5", "accept the transport connection", (Sta2,), START)
AE_6 = Action("AE-6", "acceptable: indicate the association to the user; if not: send A-ASSOCIATE-RJ",
              (Sta3, Sta13), (STOP, START), content=True)
AE_7 = Action("AE-7", "send A-ASSOCIATE-AC", (Sta6,))
AE_8 = Action("AE-8", "send A-ASSOCIATE-RJ", (Sta13,), START)
DT_1 = Action("DT-1", "send P-DATA-TF", (Sta6,))
DT_2 = Action("DT-2", "hand the P-DATA to the user", (Sta6,), content=True)
AR_1 = Action("AR-1", "send A-RELEASE-RQ", (Sta7,))
AR_2 = Action("AR-2", "indicate the release to the user", (Sta8,))
AR_3 = Action("AR-3", "confirm the release to the user, close", (Sta1,))
AR_4 = Action("AR-4", "send A-RELEASE-RP", (Sta13,), START)
AR_5 = Action("AR-5", "stop ARTIM", (Sta1,), STOP)
AR_6 = Action("AR-6", "hand the P-DATA to the user", (Sta7,), content=True)
AR_7 = Action("AR-7", "send P-DATA-TF", (Sta8,))
AR_8 = Action("AR-8", "indicate the release collision to the user", (Sta9, Sta10))
AR_9 = Action("AR-9", "send A-RELEASE-RP", (Sta11,))
AR_10 = Action("AR-10", "confirm the release to the user", (Sta12,))
AA_1 = Action("AA-1", "send A-ABORT (service-user)", (Sta13,), START)
AA_2 = Action("AA-2", "close the transport connection", (Sta1,), STOP)
AA_3 = Action("AA-3", "indicate the abort to the user, close", (Sta1,), content=True)
AA_4 = Action("AA-4", "indicate the loss of the connection to the user", (Sta1,))
AA_5 = Action("AA-5", "stop ARTIM", (Sta1,), STOP)
AA_6 = Action("AA-6", "ignore the PDU", (Sta13,))
AA_7 = Action("AA-7", "send A-ABORT", (Sta13,))
AA_8 = Action("AA-8", "send A-ABORT (service-provider), indicate it to the user", (Sta13,), START)
ACTIONS = (AE_1, AE_2, AE_3, AE_4, AE_5, AE_6, AE_7, AE_8, DT_1, DT_2, AR_1, AR_2, AR_3, AR_4, AR_5, AR_6, AR_7, AR_8,
           AR_9, AR_10, AA_1, AA_2, AA_3, AA_4, AA_5, AA_6, AA_7, AA_8)

# PS3.8 Table 9-10, a row an event, in the order of its columns.
TABLE = {
    Evt1: {Sta1: AE_1},
    Evt2: {Sta4: AE_2},
    Evt3: {Sta2: AA_1, Sta3: AA_8, Sta5: AE_3, Sta6: AA_8, Sta7: AA_8, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
           Sta11: AA_8, Sta12: AA_8, Sta13: AA_6},
    Evt4: {Sta2: AA_1, Sta3: AA_8, Sta5: AE_4, Sta6: AA_8, Sta7: AA_8, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
           Sta11: AA_8, Sta12: AA_8, Sta13: AA_6},
    Evt5: {Sta1: AE_5},
    Evt6: {Sta2: AE_6, Sta3: AA_8, Sta5: AA_8, Sta6: AA_8, Sta7: AA_8, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
           Sta11: AA_8, Sta12: AA_8, Sta13: AA_7},
    Evt7: {Sta3: AE_7},
    Evt8: {Sta3: AE_8},
    Evt9: {Sta6: DT_1, Sta8: AR_7},
    Evt10: {Sta2: AA_1, Sta3: AA_8, Sta5: AA_8, Sta6: DT_2, Sta7: AR_6, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
            Sta11: AA_8, Sta12: AA_8, Sta13: AA_6},
    Evt11: {Sta6: AR_1},
    Evt12: {Sta2: AA_1, Sta3: AA_8, Sta5: AA_8, Sta6: AR_2, Sta7: AR_8, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
            Sta11: AA_8, Sta12: AA_8, Sta13: AA_6},
    Evt13: {Sta2: AA_1, Sta3: AA_8, Sta5: AA_8, Sta6: AA_8, Sta7: AR_3, Sta8: AA_8, Sta9: AA_8, Sta10: AR_10,
            Sta11: AR_3, Sta12: AA_8, Sta13: AA_6},
    Evt14: {Sta8: AR_4, Sta9: AR_9, Sta12: AR_4},
    Evt15: {Sta3: AA_1, Sta4: AA_2, Sta5: AA_1, Sta6: AA_1, Sta7: AA_1, Sta8: AA_1, Sta9: AA_1, Sta10: AA_1,
            Sta11: AA_1, Sta12: AA_1},
    Evt16: {Sta2: AA_2, Sta3: AA_3, Sta5: AA_3, Sta6: AA_3, Sta7: AA_3, Sta8: AA_3, Sta9: AA_3, Sta10: AA_3,
            Sta11: AA_3, Sta12: AA_3, Sta13: AA_2},
    Evt17: {Sta2: AA_5, Sta3: AA_4, Sta4: AA_4, Sta5: AA_4, Sta6: AA_4, Sta7: AA_4, Sta8: AA_4, Sta9: AA_4,
            Sta10: AA_4, Sta11: AA_4, Sta12: AA_4, Sta13: AR_5},
    Evt18: {Sta2: AA_2, Sta13: AA_2},
    Evt19: {Sta2: AA_1, Sta3: AA_8, Sta5: AA_8, Sta6: AA_8, Sta7: AA_8, Sta8: AA_8, Sta9: AA_8, Sta10: AA_8,
            Sta11: AA_8, Sta12: AA_8, Sta13: AA_7},
}


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
        self.state = action.next_states[branch]
        return action.artim[branch]

    def allows(self, event):
        """Whether the table has a cell for this event now."""
        return self.state in TABLE[event]

    @property
    def over(self):
        """Whether there is no association and no connection (Sta1)."""
        return self.state is Sta1
