"""The state machine against a transcription of PS3.8 Table 9-10 of its own: 13 states x 19 events."""
import os
import re
import unittest

from support import FORMS, ROOT, both_forms

# event: {action and next state: the states in which it is}; what is not listed is blank. Written down state by state
# from the standard's tables, in another layout than the program's.
ERRORS = "3 5 6 7 8 9 10 11 12"
CELLS = {
    1: {"AE-1 4": "1"}, 2: {"AE-2 5": "4"},
    3: {"AE-3 6": "5", "AA-1 13": "2", "AA-8 13": "3 6 7 8 9 10 11 12", "AA-6 13": "13"},
    4: {"AE-4 1": "5", "AA-1 13": "2", "AA-8 13": "3 6 7 8 9 10 11 12", "AA-6 13": "13"},
    5: {"AE-5 2": "1"},
    6: {"AE-6 3/13": "2", "AA-8 13": ERRORS, "AA-7 13": "13"},
    7: {"AE-7 6": "3"}, 8: {"AE-8 13": "3"}, 9: {"DT-1 6": "6", "AR-7 8": "8"},
    10: {"AA-1 13": "2", "DT-2 6": "6", "AR-6 7": "7", "AA-8 13": "3 5 8 9 10 11 12", "AA-6 13": "13"},
    11: {"AR-1 7": "6"},
    12: {"AA-1 13": "2", "AR-2 8": "6", "AR-8 9/10": "7", "AA-8 13": "3 5 8 9 10 11 12", "AA-6 13": "13"},
    13: {"AA-1 13": "2", "AR-3 1": "7 11", "AR-10 12": "10", "AA-8 13": "3 5 6 8 9 12", "AA-6 13": "13"},
    14: {"AR-4 13": "8 12", "AR-9 11": "9"},
    15: {"AA-1 13": "3 5 6 7 8 9 10 11 12", "AA-2 1": "4"},
    16: {"AA-2 1": "2 13", "AA-3 1": ERRORS},
    17: {"AA-5 1": "2", "AA-4 1": "3 4 5 6 7 8 9 10 11 12", "AR-5 1": "13"},
    18: {"AA-2 1": "2 13"},
    19: {"AA-1 13": "2", "AA-8 13": ERRORS, "AA-7 13": "13"},
}
# What becomes of the ARTIM timer (PS3.8 9.1.4 and Tables 9-6 to 9-9); actions that are not listed leave it alone.
ARTIM = {"AE-5": ("start",), "AE-6": ("stop", "start"), "AE-8": ("start",), "AR-4": ("start",), "AA-1": ("start",),
         "AA-8": ("start",), "AR-5": ("stop",), "AA-2": ("stop",), "AA-5": ("stop",)}
ACCEPTOR_EVENTS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)
ACCEPTOR_STATES = (1, 2, 3, 6, 7, 8, 10, 12, 13)


def cell(event, state):
    """(action, [next states]) as the standard has it, or None."""
    for entry, states in CELLS[event].items():
        if str(state) in states.split():
            action, following = entry.split()
            return action, ["Sta" + number for number in following.split("/")]
    return None


class StateMachine(object):
    """The table, held against the transcription."""

    def machine(self, state, trace=True):
        """A Machine that notes what it does."""
        class Probe(self.dul.Machine):
            """Each action is a note of its name."""

            def moved(self, state, event, action):
                self.did.append(("moved", state.name, event.name, action, self.state.name))

            def artim(self, what):
                self.did.append(("artim", what))
        machine = Probe(dict((name, lambda machine, value, name=name: machine.did.append((name, value)))
                             for name in self.dul.ACTIONS), trace)
        machine.state, machine.did = self.dul.STATES[state - 1], []
        return machine

    def test_all_247_cells_have_the_action_and_the_next_states_of_the_standard(self):
        checked = filled = 0
        for event in range(1, 20):
            for state in range(1, 14):
                machine, due = self.machine(state), cell(event, state)
                which = self.dul.EVENTS[event - 1]
                checked += 1
                self.assertEqual(machine.allows(which), due is not None)
                if due is None:
                    with self.assertRaises(self.dul.Undefined) as caught:
                        machine.handle(which, "value")
                    self.assertTrue(str(caught.exception).startswith("Evt%d (" % event))
                    self.assertIn(" has no cell in Sta%d (" % state, str(caught.exception))
                    self.assertEqual((machine.state.name, machine.did), ("Sta%d" % state, []))
                    continue
                filled += 1
                action, following = due
                for branch, after in enumerate((following * 2)[:2]):
                    timer = (ARTIM.get(action, (None,)) * 2)[branch]
                    did = [("artim", timer)] if timer else []
                    did.append((action, "value"))
                    for trace in (False, True):
                        machine = self.machine(state, trace)
                        machine.handle(which, "value", branch)
                        told = [("moved", "Sta%d" % state, "Evt%d" % event, action, after)] if trace else []
                        self.assertEqual((machine.state.name, machine.did), (after, told + did), (event, state, branch))
                machine = self.machine(state)
                machine.handle(which)
                self.assertEqual(machine.state.name,
                                 following[-1])     # an acceptor in AR-8; in AE-6 what is not acceptable
                self.assertEqual(machine.did[-1], (action, None))
        self.assertEqual((checked, filled), (247, 123))

    def test_names_are_the_standards_in_its_order(self):
        self.assertEqual([state.name for state in self.dul.STATES], ["Sta%d" % n for n in range(1, 14)])
        self.assertEqual([event.name for event in self.dul.EVENTS], ["Evt%d" % n for n in range(1, 20)])
        self.assertEqual([repr(each) for each in self.dul.STATES[:2] + self.dul.EVENTS[:2]],
                         ["Sta1", "Sta2", "Evt1", "Evt2"])
        self.assertEqual(sorted(self.dul.ACTIONS), sorted(
            ["AE-%d" % n for n in range(1, 9)] + ["DT-1", "DT-2"] + ["AR-%d" % n for n in range(1, 11)]
            + ["AA-%d" % n for n in range(1, 9)]))
        self.assertEqual((self.dul.FIRST, self.dul.SECOND), (0, 1))

    def test_each_state_event_and_action_says_what_it_means(self):
        meanings = [each.meaning for each in self.dul.STATES + self.dul.EVENTS]
        self.assertEqual(len(set(meanings)), 13 + 19)
        self.assertTrue(all(each.meaning for each in self.dul.ACTIONS.values()))

    def test_only_ae_6_and_ar_8_have_two_next_states(self):
        two = sorted(name for name, action in self.dul.ACTIONS.items() if len(set(action.next_states)) == 2)
        self.assertEqual(two, ["AE-6", "AR-8"])

    def test_artim_starts_and_stops_where_the_standard_says(self):
        for name, action in self.dul.ACTIONS.items():
            self.assertEqual(action.artim, (ARTIM.get(name, (None,)) * 2)[:2], name)
        self.assertEqual((self.dul.START, self.dul.STOP), ("start", "stop"))

    def test_artim_runs_in_sta2_and_sta13_alone(self):
        for event in ACCEPTOR_EVENTS:
            for state in range(1, 14):
                due = cell(event, state)
                for branch, following in enumerate(due[1] if due else ()):
                    machine = self.machine(state, False)
                    machine.handle(self.dul.EVENTS[event - 1], None, branch)
                    timers = [value for name, value in machine.did if name == "artim"] or [
                        "start" if state in (2, 13) else "stop"]
                    self.assertEqual(timers, ["start" if following in ("Sta2", "Sta13") else "stop"], (event, state))

    def test_actions_that_need_no_more_than_the_header_are_the_aborting_and_the_ignoring_ones(self):
        needs = {}
        for name, action in self.dul.ACTIONS.items():
            needs.setdefault(action.needs, []).append(name)
        self.assertEqual(sorted(needs[self.dul.HEADER]), ["AA-1", "AA-6", "AA-7", "AA-8"])
        for event in (3, 4, 6, 10, 12, 13, 16):     # a PDU arrived
            for state in range(1, 14):
                due = cell(event, state)
                if due:
                    self.assertIn(self.dul.ACTIONS[due[0]].needs, (self.dul.HEADER, self.dul.WHOLE), due)
        self.assertEqual(sorted(needs[self.dul.WHOLE]), sorted(
            set(cell(event, state)[0] for event in (3, 4, 6, 10, 12, 13, 16) for state in range(1, 14)
                if cell(event, state))
            - set(needs[self.dul.HEADER])))

    def test_every_action_that_an_acceptor_can_come_to_is_a_method_of_association(self):
        for event in ACCEPTOR_EVENTS:
            for state in ACCEPTOR_STATES:
                due = cell(event, state)
                if due is not None:
                    self.assertTrue(callable(getattr(self.dul.Association, due[0].lower().replace("-", "_"))), due)

    def test_a_machine_begins_in_sta1(self):
        self.assertEqual(self.dul.Machine({}, False).state.name, "Sta1")

    def test_what_a_state_means_for_its_owner(self):
        for state in range(1, 14):
            machine = self.machine(state)
            self.assertEqual((machine.over, machine.associated, machine.closing),
                             (state == 1, state not in (1, 2, 13), state == 13), state)


both_forms(StateMachine)


class WhoDecidesState(unittest.TestCase):
    """Only fsm.py decides state."""

    def test_no_other_module_names_a_state_or_assigns_one(self):
        for name in os.listdir(os.path.join(ROOT, "dul")):
            if name.endswith(".py") and name != "fsm.py":
                with open(os.path.join(ROOT, "dul", name)) as source:
                    text = re.sub(r'("""(.|\n)*?"""|#.*|"[^"\n]*")', "", source.read())
                self.assertEqual(re.findall(r"\bSta\d+\b|machine\.state\s*=[^=]|\.state\s+(?:is|==|in)\b", text), [],
                                 name)

    def test_both_forms_are_here(self):
        self.assertEqual([form.FORM for form in FORMS], ["dul", "one file"])


if __name__ == "__main__":
    unittest.main()
