"""One association without a socket: every cell of the table, whole conversations, what each input is answered with."""
import random
import struct
import unittest

from driver import Driver, every
from support import both_forms, vectors
from test_fsm import cell
from wire import (
    BIG, CT_IMAGE, IMPLICIT, RELEASE_RP, RELEASE_RQ, VERIFICATION, abort, associate_rq, command, context, decode_ac,
    echo_command, echo_rq, echo_rsp, element, item, p_data, pdu, pdv, reject, split, us, user_information)

USER_ABORT = abort(0, 0)
UNRECOGNIZED, UNEXPECTED, INVALID = abort(2, 1), abort(2, 2), abort(2, 6)
ACCEPTED = "an A-ASSOCIATE-AC with at least one context"
REFUSED = "an A-ASSOCIATE-AC with no context, then an A-ABORT 0/0"
LARGEST = struct.pack(">I", 0xFFFFFFFF)
RQ = associate_rq()
ALL_PDUS = {"RQ": RQ, "AC": pdu(2, RQ[6:]), "RJ": reject(1, 1, 1), "P-DATA": echo_rq(), "RELEASE-RQ": RELEASE_RQ,
            "RELEASE-RP": RELEASE_RP, "ABORT": USER_ABORT}
ENDS = ("rejected", "released", "aborting", "aborted", "lost", "bare", "expired")


def sub_item(kind, body):
    """An RQ with one user information sub-item more."""
    return associate_rq(user=user_information(item(kind, body)))


def lying(data, offset, size, value):
    """The same bytes with another number somewhere."""
    return data[:offset] + struct.pack({1: ">B", 2: ">H", 4: ">I"}[size], value) + data[offset + size:]


class Case(object):
    """What the cases share."""

    def open(self, *conversation, **arguments):
        """A Driver that has had these pieces; what it sent is forgotten."""
        driver = Driver(self.dul, **arguments).feed(*conversation)
        driver.before, driver.clocks = driver.output, []
        return driver

    def ending(self, driver):
        """The kind of the one fact that ended the association, and its words."""
        found = [(kind, value) for kind, value in driver.facts if kind in ENDS]
        self.assertEqual(len(found), 1, driver.facts)
        self.assertEqual(found[0], driver.facts[-1])
        return found[0][0], "" if found[0][1] is None else str(found[0][1])


# What each action of an acceptor does, in the order in which it is done. -ta is 30 s, -td is 7 s.
ARTIM, STOPPED, ON_TD = ("clock", ("-ta", 30)), ("clock", ("", 0)), ("clock", ("-td", 7))
RELEASED = [ARTIM, ("released", None), ("send", RELEASE_RP)]
EFFECTS = {
    "AE-5": [ARTIM], "AE-6 acceptable": [STOPPED],
    "AE-6 not acceptable": [ARTIM, "rejected", ("send", reject(2, 3, 2))],
    "AE-7": ["accepted", ON_TD, "ac"], "AE-8": [ARTIM, "rejected", ("send", reject(1, 1, 2))],
    "DT-1": [("send", echo_rsp(5)), ON_TD], "DT-2": ["echoed", ("send", echo_rsp(5)), ON_TD],
    "AR-1": [ARTIM, ("send", RELEASE_RQ)], "AR-2": RELEASED, "AR-3": [("released", None)], "AR-4": RELEASED,
    "AR-5": [STOPPED],
    "AR-6": [], "AR-7": [("send", echo_rsp(5)), ON_TD], "AR-8": [], "AR-10": RELEASED,
    "AA-1": [ARTIM, "aborting", ("send", USER_ABORT)], "AA-2 Evt16": [STOPPED, "aborted"],
    "AA-2 Evt18": [STOPPED, "expired"],
    "AA-3": ["aborted"], "AA-4": ["lost"], "AA-5": [STOPPED, "bare"], "AA-6": [],
    "AA-7 Evt6": [("send", UNEXPECTED)], "AA-7 Evt19": [("send", UNRECOGNIZED)],
    "AA-8": [ARTIM, "aborting", ("send", UNEXPECTED)], "AA-8 Evt19": [ARTIM, "aborting", ("send", UNRECOGNIZED)],
}
REQUESTOR_ALONE = ("AE-1", "AE-2", "AE-3", "AE-4", "AR-9")
# How an acceptor comes into each state; Sta8 and Sta12 it leaves at once, so they are set.
WAYS = {1: None, 2: [], 3: [RQ], 6: [RQ], 7: [RQ, "release"], 8: [RQ], 10: [RQ, "release", RELEASE_RQ],
        12: [RQ, "release", RELEASE_RQ], 13: [RELEASE_RQ]}


class Cells(Case):
    """All 247 cells of PS3.8 Table 9-10."""

    def association(self, state):
        """An Association in this state."""
        dul = self.dul
        if state == 1:
            return dul.Association(dul.Negotiator(dul.Settings(dimse_timeout=7)), lambda: True)
        driver = self.open(dimse_timeout=7, respond=state != 3)
        for step in WAYS.get(state, [RQ]):
            if step == "release":
                self.assertTrue(driver.association.release())
                driver.apply()
            else:
                driver.feed(step)
        machine = driver.association
        self.assertEqual(machine.state.name, "Sta%d" % {8: 6, 12: 10, 4: 6, 5: 6, 9: 6, 11: 6}.get(state, state))
        machine.state = dul.STATES[state - 1]
        self.assertEqual(driver.association.effects, [])
        return driver.association

    def value(self, event, association):
        """What comes with an event."""
        dul, state = self.dul, association.state
        pdus = {3: "A-ASSOCIATE-AC", 4: "A-ASSOCIATE-RJ", 6: "A-ASSOCIATE-RQ", 10: "P-DATA-TF", 12: "A-RELEASE-RQ",
                13: "A-RELEASE-RP"}
        if event == 7:
            return association.negotiator.decide(RQ)
        if event == 8:
            return association.negotiator.decide(associate_rq(application=b"1.2")).rejected
        if event == 9:
            return dul.Echo(1, echo_command(5), 0)
        if event == 10 and state.name in ("Sta6", "Sta7"):
            return dul.EchoService((1,), 0, {}).receive(echo_rq(5))
        if event == 16:
            return dul.Aborted(2, 0)
        if event == 17:
            return dul.ConnectionLost("gone")
        if event == 18:
            return dul.Expired("-ta", 30, state, "")
        if event == 19:
            return dul.InvalidPDU("PDU", 0, "PDU-type", "9.3.1", "99H", "01H to 07H", (2, 1))
        return dul.UnexpectedPDU(pdus[event], state) if event in pdus else dul.Stopped("stop") if event == 15 else None

    def told(self, effects):
        """The effects as EFFECTS writes them."""
        return ["ac" if kind == "send" and value[:1] == b"\x02" else (kind, value)
                if kind in ("send", "clock", "released") else kind
                for kind, value in effects]

    def check(self, event, state, value, branch, following, due):
        association = self.association(state)
        association.trace = True
        which = self.dul.EVENTS[event - 1]
        if value is None:
            value = self.value(event, association)
        association.handle(which, value, branch)
        kind, step = association.effects[0]
        self.assertEqual((kind, step[0].name, step[1].name, step[2], step[3].name),
                         ("moved", "Sta%d" % state, "Evt%d" % event, cell(event, state)[0], following), (event, state))
        told = self.told(each for each in association.effects if each[0] != "moved")
        # of clocks that follow one another the last counts
        told = [each for each, after in zip(told, told[1:] + [None])
                if not (each[0] == "clock" and after and after[0] == "clock")]
        if state == 13:     # the association ended before
            due = [each for each in due if each not in ENDS]
        self.assertEqual(told, due, (event, state))
        return association

    def test_each_cell_of_an_acceptors_actions_has_their_effects(self):
        checked = 0
        for event in range(3, 20):
            for state in range(1, 14):
                due = cell(event, state)
                if due is None or due[0] in REQUESTOR_ALONE or (event, state) == (15, 4):
                    continue
                checked += 1
                action, following = due
                if action == "AE-6":
                    association = self.check(event, state, self.association(2).negotiator.decide(RQ), self.dul.FIRST,
                                             "Sta3",
                                             EFFECTS["AE-6 acceptable"])
                    self.assertIsNotNone(association.undecided)
                    self.check(event, state, self.dul.Rejected((2, 3, 2), "full"), self.dul.SECOND, "Sta13",
                               EFFECTS["AE-6 not acceptable"])
                    continue
                effects = EFFECTS.get("%s Evt%d" % (action, event), EFFECTS.get(action))
                association = self.check(event, state, None, self.dul.SECOND, following[-1], effects)
                self.assertEqual(association.state.name,
                                 {"AR-2": "Sta13", "AR-10": "Sta13"}.get(action, following[-1]), (event, state))
        self.assertEqual(checked, 123 - 6)

    def test_a_blank_cell_raises_undefined_and_changes_nothing(self):
        blank = 0
        for event in range(1, 20):
            for state in range(1, 14):
                if cell(event, state) is None:
                    blank += 1
                    association = self.association(state)
                    before = association.state
                    self.assertRaises(self.dul.Undefined, association.handle, self.dul.EVENTS[event - 1], None)
                    self.assertIs(association.state, before)
                    self.assertEqual(association.effects, [])
        self.assertEqual(blank, 247 - 123)

    def test_every_pdu_in_every_state_is_the_event_that_the_standard_has_for_it(self):
        events = {"RQ": 6, "AC": 3, "RJ": 4, "P-DATA": 10, "RELEASE-RQ": 12, "RELEASE-RP": 13, "ABORT": 16}
        for state in (2, 3, 6, 7, 10, 13):
            for name, data in list(ALL_PDUS.items()) + [("unknown", pdu(0x99, b""))]:
                association = self.association(state)
                association.trace = True
                kind, length = struct.unpack(">BxI", data[:6])
                if association.header(kind, length, data) == self.dul.READ:
                    association.pdu(data)
                step = [value for kind, value in association.effects if kind == "moved"][0]
                self.assertEqual((step[0].name, step[1].name), ("Sta%d" % state, "Evt%d" % events.get(name, 19)))


class Conversations(Case):
    """From the accept of the connection to its end."""

    def test_a_good_echo(self):
        for trace in (False, True):
            driver = self.open(trace=trace)
            self.assertEqual((driver.state, driver.facts), ("Sta2", []))
            driver.feed(RQ)
            self.assertEqual(decode_ac(driver.output)["contexts"], [(1, 0, IMPLICIT)])
            self.assertEqual((driver.state, driver.kinds()), ("Sta6", ["received", "accepted"]))
            self.assertIs(driver.facts[0][1], driver.facts[1][1])
            for message_id in (5, 6):
                self.assertEqual(driver.feed(echo_rq(message_id)).output, echo_rsp(message_id))
                self.assertEqual((driver.state, driver.facts[-1][0], driver.facts[-1][1].message_id),
                                 ("Sta6", "echoed", message_id))
            self.assertEqual(driver.association.echoes, 2)
            self.assertEqual(driver.feed(RELEASE_RQ).output, RELEASE_RP)
            self.assertEqual((driver.state, driver.over, self.ending(driver)), ("Sta13", False, ("released", "")))
            driver.end()
            self.assertEqual((driver.state, driver.over, self.ending(driver)), ("Sta1", True, ("released", "")))
            self.assertEqual(driver.output, b"")

    def test_a_good_echo_passes_the_table_step_by_step(self):
        driver = self.open(RQ, echo_rq(1), RELEASE_RQ, trace=True).end()
        self.assertEqual(["%s %s %s %s" % each for each in driver.moves], [
            "Sta1 Evt5 AE-5 Sta2", "Sta2 Evt6 AE-6 Sta3", "Sta3 Evt7 AE-7 Sta6", "Sta6 Evt10 DT-2 Sta6",
            "Sta6 Evt9 DT-1 Sta6",
            "Sta6 Evt12 AR-2 Sta8", "Sta8 Evt14 AR-4 Sta13", "Sta13 Evt17 AR-5 Sta1"])
        self.assertEqual(self.open(RQ).moves, [])
        association = self.dul.Association(self.dul.Negotiator(self.dul.Settings()), lambda: True)
        association.open()
        self.assertEqual(association.effects[-1:], [ARTIM])
        self.assertEqual([kind for kind, _ in association.effects if kind != "clock"], [])

    def test_each_golden_pdu_of_a_requestor_is_answered(self):
        golden = vectors()
        seen = 0
        for name, entry in golden.items():
            data = entry["data"]
            if name.startswith("a_associate_rq"):
                got = self.open(data).before
                if name.endswith("version_2"):
                    self.assertEqual(got, golden["a_associate_rj_protocol_version"]["data"])
                else:
                    self.assertEqual(decode_ac(got)["echoed"], data[10:74], name)
                    self.assertEqual(decode_ac(got)["contexts"][0][:2], (1, 0), name)
            elif name.startswith(("c_echo_rq", "c_cancel")):
                due = golden["c_echo_rsp_message_id_65535" if "65535" in name else "a_abort_user" if "cancel" in name
                             else "c_echo_rsp"]
                self.assertEqual(self.open(golden["a_associate_rq"]["data"]).feed(data).output, due["data"], name)
            elif name == "a_release_rq":
                self.assertEqual(self.open(RQ).feed(data).output, golden["a_release_rp"]["data"])
            elif name.startswith("a_abort"):
                for before, ended in ((), "aborted"), ((RQ,), "aborted"), ((RQ, RELEASE_RQ), "released"):
                    driver = self.open(*before).feed(data)
                    self.assertEqual((driver.output, driver.over, self.ending(driver)[0]), (b"", True, ended), name)
            else:
                due = {2: UNEXPECTED, 3: UNEXPECTED, 4: USER_ABORT, 6: UNEXPECTED}[ord(data[:1])]
                self.assertEqual(self.open(RQ).feed(data).output, due, name)
                self.assertEqual(self.open().feed(data).output, USER_ABORT, name)
            seen += 1
        self.assertEqual(seen, 35)

    def test_a_rejection_by_the_provider_and_by_the_user(self):
        for data, due, moves in ((associate_rq(version=0), reject(1, 2, 2), 2),
                                 (associate_rq(application=b"1.2"), reject(1, 1, 2), 3)):
            driver = self.open(data, trace=True)
            self.assertEqual((driver.before, driver.state, driver.kinds(), len(driver.moves)),
                             (due, "Sta13", ["received", "rejected"], moves))
            driver.end()
            self.assertEqual((driver.over, driver.output, self.ending(driver)[0]), (True, b"", "rejected"))

    def test_no_room_is_a_rejection_and_the_question_is_asked_once(self):
        asked = []
        for answer in (False, True):
            driver = self.open(RQ, admit=lambda: asked.append(1) or answer)
            if not answer:
                self.assertEqual(driver.before, reject(2, 3, 2))
                self.assertEqual(self.ending(driver),
                                 ("rejected", "too many associations at once (result 2: rejected-transient, source "
                                  "3: DICOM UL service-provider (presentation related function), reason 2: "
                                  "local-limit-exceeded)"))
                self.assertEqual(driver.state, "Sta13")
            driver.feed(RQ)
        self.assertEqual(len(asked), 2)

    def test_what_the_provider_rejects_takes_no_room(self):
        asked = []
        self.open(associate_rq(version=0), admit=lambda: asked.append(1))
        self.assertEqual(asked, [])
        driver = self.open(associate_rq(application=b"1.2"),
                           admit=lambda: asked.append(1))     # the user is asked in Sta3
        self.assertEqual((asked, driver.before), ([1], reject(2, 3, 2)))
        self.open(associate_rq([]), admit=lambda: asked.append(1))
        self.assertEqual(asked, [1])

    def test_no_usable_context_is_accepted_and_then_aborted(self):
        driver = self.open(associate_rq([context(1, CT_IMAGE)]))
        answer, last = split(driver.before)
        self.assertEqual((decode_ac(answer)["contexts"], last), ([(1, 3, IMPLICIT)], USER_ABORT))
        self.assertEqual(driver.kinds(), ["received", "accepted", "aborting"])
        self.assertEqual(self.ending(driver)[1],
                         "proposed 1 context, no Verification: CT Image Storage: this is an echo server")
        self.assertIsInstance(driver.facts[-1][1], self.dul.MessageError)

    def test_an_abort_of_the_peer_closes_at_once_in_every_state(self):
        for steps, kind in (((), "aborted"), ((RQ,), "aborted"), ((RQ, "release"), "aborted"),
                            ((RQ, "release", RELEASE_RQ), "aborted"),
                            ((RQ, RELEASE_RQ), "released"), ((RELEASE_RQ,), "aborting")):
            driver = self.open()
            for step in steps:
                driver.association.release() and driver.apply() if step == "release" else driver.feed(step)
            driver.feed(abort(2, 4), echo_rq())
            self.assertTrue(driver.over)
            self.assertEqual(self.ending(driver)[0], kind)
            if kind == "aborted":
                self.assertEqual(self.ending(driver)[1],
                                 "A-ABORT from the peer: source 2: DICOM UL service-provider, reason 4: "
                                 "unrecognized-PDU parameter")

    def test_the_user_aborts_where_there_is_an_association(self):
        stop = self.dul.Stopped("this server stops")
        for before, respond in (((RQ,), False), ((RQ,), True), ((RQ, echo_rq()[:20]), True)):
            driver = self.open(*before, respond=respond)
            self.assertIs(driver.association.abort(stop), True)
            driver.apply()
            self.assertEqual((driver.output, driver.state, driver.facts[-1]), (USER_ABORT, "Sta13", ("aborting", stop)))
            self.assertIsNone(driver.association.undecided)
            self.assertEqual(driver.clocks[-1], ("-ta", 30))
            self.assertIs(driver.association.abort(stop), False)
            self.assertEqual(driver.apply().end().output, b"")
            self.assertEqual(self.ending(driver), ("aborting", "this server stops"))
        for before in ((), (RQ, RELEASE_RQ), (RELEASE_RQ,), (abort(0, 0),)):
            driver = self.open(*before)
            self.assertIs(driver.association.abort(stop), False)
            self.assertEqual(driver.association.effects, [])

    def test_the_user_releases_where_an_association_is_established(self):
        driver = self.open(RQ)
        self.assertIs(driver.association.release(), True)
        driver.apply()
        self.assertEqual((driver.output, driver.state, driver.clocks), (RELEASE_RQ, "Sta7", [("-ta", 30)]))
        self.assertIs(driver.association.release(), False)
        self.assertEqual(driver.feed(echo_rq()).output, b"")        # AR-6: too late for an answer
        self.assertEqual((driver.state, driver.kinds()), ("Sta7", ["received", "accepted"]))
        driver.feed(RELEASE_RP)
        self.assertEqual((driver.output, driver.over, self.ending(driver)), (b"", True, ("released", "")))
        for before, respond in (((), True), ((RQ,), False), ((RQ, RELEASE_RQ), True), ((RELEASE_RQ,), True)):
            driver = self.open(*before, respond=respond)
            self.assertIs(driver.association.release(), False)
            self.assertEqual(driver.association.effects, [])

    def test_a_release_collision_goes_the_acceptors_way(self):
        driver = self.open(RQ, trace=True)
        driver.association.release()
        driver.apply()
        self.assertEqual(driver.output, RELEASE_RQ)
        self.assertEqual((driver.feed(RELEASE_RQ).state, driver.output), ("Sta10", b""))
        self.assertEqual((driver.feed(RELEASE_RP).state, driver.output), ("Sta13", RELEASE_RP))
        self.assertEqual(["%s %s %s %s" % each for each in driver.moves[3:]], [
            "Sta6 Evt11 AR-1 Sta7", "Sta7 Evt12 AR-8 Sta10", "Sta10 Evt13 AR-10 Sta12", "Sta12 Evt14 AR-4 Sta13"])
        self.assertEqual(self.ending(driver.end()), ("released", ""))

    def test_nothing_else_is_taken_in_a_release_collision(self):
        for data in (echo_rq(), RELEASE_RQ, RQ):
            driver = self.open(RQ)
            driver.association.release()
            driver.apply().feed(RELEASE_RQ)
            driver.output
            self.assertEqual((driver.feed(data).output, driver.state), (UNEXPECTED, "Sta13"))
            self.assertIn(" in Sta10 (", self.ending(driver)[1])

    def test_pipelined_requests_are_answered_in_their_order(self):
        stream = RQ + echo_rq(1) + echo_rq(2) + RELEASE_RQ
        whole = self.open(stream)
        self.assertEqual(split(whole.before)[1:], [echo_rsp(1), echo_rsp(2), RELEASE_RP])
        for cut in range(len(stream)):
            driver = self.open(stream[:cut], stream[cut:])
            self.assertEqual(driver.before, whole.before)

    def test_trace_or_not_the_same_bytes_are_sent_and_the_same_is_told(self):
        for conversation in ([RQ, echo_rq(1), echo_rq(2), RELEASE_RQ], [RQ, p_data(pdv(echo_command(4, CT_IMAGE)))],
                             [RELEASE_RQ],
                             [RQ, echo_rq()[:40]], [RQ, p_data(pdv(echo_command(field=1)))],
                             [b"GET / HTTP/1.0\r\n\r\n"]):
            outcomes = []
            for trace in (False, True):
                driver = self.open(*conversation, trace=trace, dimse_timeout=3).end()
                outcomes.append((driver.before, driver.kinds(), [str(each) for each in driver.errors()], driver.state))
            self.assertEqual(outcomes[0], outcomes[1])

    def test_responses_are_cut_to_the_peers_maximum(self):
        for maximum in (8, 9, 14, 50, 83, 84):
            driver = self.open(associate_rq(user=user_information(maximum=maximum)))
            fragments = b""
            for data in split(driver.feed(echo_rq(3)).output):
                self.assertLessEqual(len(data) - 6, maximum)
                fragments += data[12:]
            self.assertEqual(fragments, echo_rsp(3)[12:])

    def test_a_maximum_that_lets_nothing_through_is_told_when_it_matters(self):
        for maximum in (1, 7):
            driver = self.open(associate_rq(user=user_information(maximum=maximum)))
            self.assertEqual(driver.state, "Sta6")
            self.assertEqual(driver.feed(echo_rq()).output, USER_ABORT)
            self.assertIn("Maximum-length-received is %d" % maximum, self.ending(driver)[1])
            self.assertEqual(driver.kinds(), ["received", "accepted", "aborting"])

    def test_a_maximum_of_ours_is_judged_on_the_header(self):
        for maximum, length, due, told in ((128, 128, b"", None),
                                           (128, 129, INVALID, "PDU-length at byte 2 is 129, due: at most 128"),
                                           (0, 1048576, b"", None),
                                           (0, 1048577, USER_ABORT, "P-DATA-TF: PDU-length is 1048577, more "
                                            "than any C-ECHO-RQ needs"),
                                           (0xFFFFFFFF, 1048577, USER_ABORT, "")):
            driver = self.open(RQ, maximum_length=maximum)
            self.assertEqual(driver.feed(b"\x04\0" + struct.pack(">I", length)).output, due, (maximum, length))
            if told is not None:
                self.assertIn(told, self.ending(driver)[1])

    def test_an_error_keeps_the_bytes_that_had_arrived_and_knows_what_opens_a_connection(self):
        http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for before, data, opening in (((), http, True), ((RQ,), http, False),
                                      ((), RQ[:76] + b"\xff\xff" + RQ[78:], True),
                                      ((RQ,), p_data(b"\0\0\0\1\1\3"), False)):
            error = self.open(*before).feed(data).facts[-1][1]
            self.assertIsInstance(error, self.dul.InvalidPDU)
            self.assertEqual((error.data, error.opening), (data, opening))


class Clocks(Case):
    """-to, -ta and -td as CLOCK effects."""

    def clocks(self, *conversation, **settings):
        return Driver(self.dul, **settings).feed(*conversation).clocks

    def test_in_sta2_whichever_of_to_and_ta_ends_first_counts(self):
        table = [({}, ("-ta", 30)), ({"timeout": 5}, ("-to", 5)), ({"timeout": 29}, ("-to", 29)),
                 ({"timeout": 31}, ("-ta", 30)),
                 ({"timeout": 30}, ("-ta", 30)), ({"acse_timeout": 0}, ("", 0)),
                 ({"acse_timeout": 0, "timeout": 7}, ("-to", 7)),
                 ({"acse_timeout": 1, "timeout": 7}, ("-ta", 1)),
                 ({"acse_timeout": 1, "timeout": 4294967295}, ("-ta", 1)),
                 ({"acse_timeout": 4294967295}, ("-ta", 4294967295)), ({"dimse_timeout": 3}, ("-ta", 30))]
        for settings, due in table:
            self.assertEqual(self.clocks(**settings)[-1], due, settings)

    def test_td_runs_from_the_acceptance_and_anew_from_each_message(self):
        for td in (1, 4294967295):
            self.assertEqual(self.clocks(RQ, dimse_timeout=td)[-1], ("-td", td))
            after = len(self.clocks(RQ, dimse_timeout=td))
            self.assertEqual(self.clocks(RQ, echo_rq(), dimse_timeout=td)[after:], [("-td", td)])
            self.assertEqual(self.clocks(RQ, p_data(pdv(echo_command()[:9], 1, 1)), dimse_timeout=td)[after:], [])
            self.assertEqual(self.clocks(RQ, echo_rq()[:-1], dimse_timeout=td)[after:], [])
        self.assertEqual(self.clocks(RQ, echo_rq())[-1][1], 0)

    def test_to_and_ta_do_not_run_in_an_established_association(self):
        for settings in ({}, {"timeout": 5}, {"acse_timeout": 1, "timeout": 1}):
            self.assertEqual(self.clocks(RQ, **settings)[-1][1], 0)
            self.assertEqual(self.clocks(RQ, echo_rq(), **settings)[-1][1], 0)

    def test_in_sta13_and_for_the_answer_to_a_release_ta_runs_and_30_seconds_where_it_is_0(self):
        for settings, due in (({}, 30), ({"acse_timeout": 1, "timeout": 9, "dimse_timeout": 8}, 1),
                              ({"acse_timeout": 0}, 30),
                              ({"acse_timeout": 4294967295}, 4294967295)):
            for conversation in ((RQ, RELEASE_RQ), (associate_rq(version=0),), (associate_rq(application=b"1"),),
                                 (RELEASE_RQ,),
                                 (RQ, pdu(0x99, b"")), (RQ, p_data(pdv(echo_command(field=1)))),
                                 (associate_rq([context(1, b"1")]),)):
                self.assertEqual(self.clocks(*conversation, **settings)[-1], ("-ta", due), (settings, conversation))
            driver = self.open(RQ, **settings)
            driver.association.release()
            self.assertEqual(driver.apply().clocks, [("-ta", due)])

    def test_what_comes_in_sta13_does_not_start_its_clock_again(self):
        for data in (RQ, echo_rq(), RELEASE_RQ, pdu(0x99, b""), pdu(5, b"")):
            driver = self.open(RQ, RELEASE_RQ)
            driver.feed(data)
            self.assertEqual(driver.clocks, [])

    def test_a_clock_is_stopped_when_the_connection_ends_in_sta2_and_sta13(self):
        for before in ((), (RQ, RELEASE_RQ)):
            driver = self.open(*before).end()
            self.assertEqual(driver.clocks, [("", 0)])

    def test_in_sta2_the_end_of_a_clock_closes_without_a_word(self):
        for settings, option in (({"acse_timeout": 5}, "-ta"), ({"timeout": 5}, "-to")):
            for data, words in ((b"", "nothing"), (RQ[:22], "22 of 172 bytes of A-ASSOCIATE-RQ"),
                                (RQ[:3], "3 of the 6 bytes of a PDU header")):
                driver = self.open(data, **settings).expire()
                self.assertEqual((driver.output, driver.over), (b"", True))
                self.assertEqual(self.ending(driver),
                                 ("expired", "timeout: %s in 5 s (%s) in Sta2 (transport connection open, awaiting "
                                  "A-ASSOCIATE-RQ)" % (words, option)))

    def test_in_sta6_the_end_of_td_is_an_abort(self):
        for before in ((RQ,), (RQ, echo_rq()), (RQ, echo_rq()[:40])):
            driver = self.open(*before, dimse_timeout=1).expire()
            self.assertEqual((driver.output, driver.state), (USER_ABORT, "Sta13"))
            self.assertEqual(self.ending(driver),
                             ("aborting", "timeout: %s in 1 s (-td) in Sta6 (association established, ready for data "
                              "transfer)" % ("40 of 80 bytes of P-DATA-TF"
                                             if len(before[-1]) == 40 else "nothing")))

    def test_where_a_release_is_not_answered_the_end_of_ta_is_an_abort(self):
        for collision in ((), (RELEASE_RQ,)):
            driver = self.open(RQ)
            driver.association.release()
            driver.apply().feed(*collision)
            driver.output
            driver.expire()
            self.assertEqual((driver.output, driver.state), (USER_ABORT, "Sta13"))
            self.assertIn("timeout: nothing in 30 s (-ta) in Sta%d (" % (10 if collision else 7),
                          self.ending(driver)[1])

    def test_in_sta13_the_end_of_the_clock_closes_and_nothing_more_is_told(self):
        for before, kind in (((RQ, RELEASE_RQ), "released"), ((associate_rq(version=0),), "rejected"),
                             ((RELEASE_RQ,), "aborting")):
            driver = self.open(*before).expire()
            self.assertEqual((driver.output, driver.over, self.ending(driver)[0]), (b"", True, kind))


class Ends(Case):
    """The connection ends."""

    def test_a_lost_connection_in_every_state(self):
        sta6 = "gone in Sta6 (association established, ready for data transfer)"
        sta2 = "gone in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)"
        table = [((), "bare", sta2), ((RQ[:3],), "lost", sta2 + ", after 3 of the 6 bytes of a PDU header"),
                 ((RQ[:40],), "lost", sta2 + ", after 40 of 172 bytes of A-ASSOCIATE-RQ"), ((RQ,), "lost", sta6),
                 ((RQ, echo_rq()), "lost", sta6),
                 ((RQ, echo_rq()[:40]), "lost", sta6 + ", after 40 of 80 bytes of P-DATA-TF"),
                 ((RQ, RELEASE_RQ), "released", ""), ((RELEASE_RQ,), "aborting", None),
                 ((associate_rq(version=0),), "rejected", None)]
        for before, kind, words in table:
            driver = self.open(*before).end(self.dul.ConnectionLost("gone"))
            self.assertEqual((driver.over, driver.output), (True, b""))
            self.assertEqual(self.ending(driver)[0], kind)
            if words is not None:
                self.assertEqual(self.ending(driver)[1], words)

    def test_it_is_told_how_many_echoes_were_answered(self):
        for echoes in (0, 1, 3):
            driver = self.open(RQ, *[echo_rq(number) for number in range(echoes)]).end()
            error = driver.facts[-1][1]
            self.assertEqual((error.echoes, error.state.name), (echoes, "Sta6"))

    def test_a_lost_connection_while_a_release_is_under_way(self):
        for collision, state in (((), "Sta7"), ((RELEASE_RQ,), "Sta10")):
            driver = self.open(RQ)
            driver.association.release()
            driver.apply().feed(*collision).end()
            self.assertEqual(self.ending(driver)[0], "lost")
            self.assertIn("in %s (" % state, self.ending(driver)[1])

    def test_a_lost_connection_before_the_user_has_answered(self):
        driver = self.open(RQ, respond=False).end()
        self.assertEqual((driver.kinds(), driver.over), (["received", "lost"], True))

    def test_what_this_side_closes_is_never_bare(self):
        driver = self.open().end(self.dul.ClosedHere("closed: this server stops"))
        self.assertEqual(self.ending(driver)[0], "lost")

    def test_each_association_has_exactly_one_ending_fact(self):
        chance, ended = random.Random(3), set()
        steps = list(ALL_PDUS.values()) + [RQ, RQ, echo_rq(), pdu(0x99, b"abc"), pdu(5, b""),
                                           p_data(pdv(echo_command(field=1))),
                                           RQ[:40], "expire", "abort", "release", "end"]
        for _ in range(3000):
            driver, script = self.open(admit=lambda: chance.random() < 0.9, dimse_timeout=1), []
            if chance.random() < 0.8:
                script.append(RQ)
            script += [chance.choice(steps) for _ in range(chance.randrange(6))]
            for step in script:
                if driver.over:
                    break
                if step == "expire":
                    driver.expire()
                elif step == "abort":
                    driver.association.abort(self.dul.Stopped("stop"))
                    driver.apply()
                elif step == "release":
                    driver.association.release()
                    driver.apply()
                elif step == "end":
                    driver.end()
                else:
                    driver.feed(step)
            driver.end()
            self.assertTrue(driver.over)
            ends = [kind for kind in driver.kinds() if kind in ENDS]
            self.assertEqual(len(ends), 1, script)
            ended.add(ends[0])
        self.assertEqual(ended, set(ENDS))


# In Sta2, before anything else: (name, what arrives, what goes back, words of the sentence that is told or None)
STA2 = [
    ("HTTP", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" * 50, USER_ABORT, "PDU-type at byte 0 is 47H"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"R" * 1000, USER_ABORT, "PDU-type at byte 0 is 16H"),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", USER_ABORT, "PDU-type at byte 0 is 53H"),
    ("HL7", b"\x0bMSH|^~\\&|A|B\r\x1c\r", USER_ABORT, "PDU-type at byte 0 is 0BH"),
    ("random bytes", b"\x9f\x86\xd0\x81\x88\x4c\x7d\x65" * 40, USER_ABORT, "PDU-type at byte 0 is 9FH"),
    ("version 0", associate_rq(version=0), reject(1, 2, 2), "Protocol-version 0000H"),
    ("version 2", associate_rq(version=2), reject(1, 2, 2), "Protocol-version 0002H"),
    ("version 3", associate_rq(version=3), ACCEPTED, None),
    ("version FFFF", associate_rq(version=0xFFFF), ACCEPTED, None),
    ("another application context", associate_rq(application=b"1.2.3"), reject(1, 1, 2),
     "Application-context-name 1.2.3"),
    ("no application context", associate_rq(application=None), reject(1, 1, 2), "Application-context-name (none)"),
    ("no contexts", associate_rq([]), USER_ABORT,
     "number of Presentation Context items (20H) at byte 74 is 0, due: 1 to 128"),
    ("128 contexts", associate_rq([context(i) for i in range(1, 256, 2)]), ACCEPTED, None),
    ("129 contexts", associate_rq([context(1)] * 129), USER_ABORT,
     "number of Presentation Context items (20H) at byte 74"),
    ("duplicate IDs", associate_rq([context(1), context(1)]), ACCEPTED, None),
    ("even ID", associate_rq([context(2)]), ACCEPTED, None),
    ("another service", associate_rq([context(1, CT_IMAGE)]), REFUSED, "proposed 1 context, no Verification: "),
    ("no transfer syntax in common", associate_rq([context(1, VERIFICATION, (b"1.2.840.10008.1.2.4.50",))]), REFUSED,
     "Verification with no transfer syntax that is taken here: "),
    ("no 50H", associate_rq(user=b""), ACCEPTED, None),
    ("empty 50H", associate_rq(user=item(0x50, b"")), ACCEPTED, None),
    ("doubled 50H", associate_rq(user=user_information() * 2), ACCEPTED, None),
    ("doubled 10H", associate_rq(extra=item(0x10, b"1.2.3")), ACCEPTED, None),
    ("unknown items", associate_rq(extra=item(0xEE, b"x") + item(0, b"")), ACCEPTED, None),
    ("unknown sub-item", sub_item(0xEE, b"abc"), ACCEPTED, None),
    ("UID of 0 bytes", associate_rq([context(1, b"")]), REFUSED, "no Verification"),
    ("UID of 64 bytes", associate_rq([context(1, b"1." * 31 + b"11")]), REFUSED, "no Verification"),
    ("UID of 65 bytes", associate_rq([context(1, b"1." * 32 + b"1")]), REFUSED, "no Verification"),
    ("UID padded with NULs", associate_rq([context(1, VERIFICATION + b"\0\0", (IMPLICIT + b"\0",))]), ACCEPTED, None),
    ("UID padded with spaces", associate_rq([context(1, b" " + VERIFICATION + b" ", (BIG + b"  ",))]), ACCEPTED, None),
    ("titles of spaces", associate_rq(called=b" " * 16, calling=b" " * 16), ACCEPTED, None),
    ("titles of NULs", associate_rq(called=b"\0" * 16, calling=b"\0" * 16), ACCEPTED, None),
    ("titles of escape sequences and high bytes", associate_rq(called=b"\x1b[2J\r\n%s", calling=b"\xff" * 16), ACCEPTED,
     None),
    ("user identity", sub_item(0x58, b"\2\0\0\4name\0\4pass"), ACCEPTED, None),
    ("user identity, response asked for", sub_item(0x58, b"\1\1\0\4name\0\0"), ACCEPTED, None),
    ("PDU-length 2^32-1", lying(RQ, 2, 4, 0xFFFFFFFF), USER_ABORT, "PDU-length at byte 2 is 4294967295"),
    ("PDU-length over 1 MiB", lying(RQ, 2, 4, 1048577), USER_ABORT, "PDU-length at byte 2 is 1048577"),
    ("PDU-length 67", lying(RQ, 2, 4, 67), USER_ABORT, "PDU-length at byte 2 is 67, due: at least 68"),
    ("PDU-length 0", lying(RQ, 2, 4, 0), USER_ABORT, "PDU-length at byte 2 is 0"),
    ("PDU-length one less", lying(RQ, 2, 4, len(RQ) - 7), USER_ABORT, "Item-length of item 50H"),
    ("item-length up", lying(RQ, 76, 2, 22), USER_ABORT, "A-ASSOCIATE-RQ"),
    ("item-length down", lying(RQ, 76, 2, 20), USER_ABORT, "A-ASSOCIATE-RQ"),
    ("item-length 65535", lying(RQ, 76, 2, 65535), USER_ABORT, "Item-length of item 10H in A-ASSOCIATE-RQ at byte 76"),
    ("context's item-length 0", lying(RQ, 101, 2, 0), USER_ABORT,
     "Item-length of Presentation Context at byte 101 is 0"),
    ("sub-item-length 65535", lying(RQ, 109, 2, 65535), USER_ABORT, "Item-length of item 30H in Presentation Context"),
    ("51H of 3 bytes", sub_item(0x51, b"\0\0\1"), USER_ABORT, "Maximum-length-received of Maximum Length"),
    ("51H of 5 bytes", sub_item(0x51, b"\0\0\1\0\0"), USER_ABORT, "Item-length of Maximum Length"),
    ("53H of 3 bytes", sub_item(0x53, b"\0\0\1"), USER_ABORT, "of Asynchronous Operations Window"),
    ("54H whose UID-length lies", sub_item(0x54, b"\xff\xff" + b"1.2\0\0"), USER_ABORT,
     "SOP-class-UID-length of SCP/SCU"),
    ("56H whose UID-length lies", sub_item(0x56, b"\0\4" + b"1.2"), USER_ABORT,
     "SOP-class-UID-length of SOP Class Ext"),
    ("57H whose list lies", sub_item(0x57, b"\0\1" + b"1" + b"\0\1" + b"2" + b"\0\4\0\7ab"), USER_ABORT,
     "Related-general-sop-class-UID-length of SOP Class Common Extended Negotiation"),
    ("58H whose lengths lie", sub_item(0x58, b"\2\0\0\4name\0\5pass"), USER_ABORT,
     "Secondary-field-length of User Identity"),
    ("an A-ABORT with a wrong length", pdu(7, b""), USER_ABORT, "A-ABORT: PDU-length at byte 2 is 0, due: 4"),
    ("an A-RELEASE-RQ with a wrong length", pdu(5, b"12345"), USER_ABORT, "A-RELEASE-RQ: PDU-length at byte 2 is 5"),
    ("a huge P-DATA-TF", pdu(4, b"")[:2] + LARGEST, USER_ABORT, "P-DATA-TF: PDU-length at byte 2 is 4294967295"),
]
STA2 += [("%s first" % name, data, USER_ABORT, " in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)")
         for name, data in sorted(ALL_PDUS.items()) if name not in ("RQ", "ABORT")]
STA2.append(("ABORT first", USER_ABORT, b"", "A-ABORT from the peer: source 0"))

# In Sta6, with contexts 1 (Verification) accepted and 3 (another service) refused.
STA6 = [
    ("an echo", echo_rq(5), echo_rsp(5), None),
    ("pipelined echoes and a release", echo_rq(1) + echo_rq(2) + RELEASE_RQ, echo_rsp(1) + echo_rsp(2) + RELEASE_RP,
     None),
    ("two PDVs in one PDU", p_data(pdv(echo_command()[:20], 1, 1), pdv(echo_command()[20:])), echo_rsp(), None),
    ("two messages in one PDU", p_data(pdv(echo_command(1)), pdv(echo_command(2))), echo_rsp(1) + echo_rsp(2), None),
    ("control header FFH", p_data(pdv(echo_command(), 1, 0xFF)), echo_rsp(), None),
    ("odd fragments", p_data(pdv(echo_command()[:7], 1, 1)) + p_data(pdv(echo_command()[7:])), echo_rsp(), None),
    ("no SOP class", p_data(pdv(echo_command(sop_class=None))), echo_rsp(), None),
    ("a wrong SOP class", p_data(pdv(echo_command(4, CT_IMAGE))), p_data(pdv(command(
        element(2, CT_IMAGE + b"\0"), element(0x100, us(0x8030)), element(0x120, us(4)), element(0x800, us(0x101)),
        element(0x900, us(0x122))))), None),
    ("a wrong group length",
     p_data(pdv(command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)),
                        length=3))), echo_rsp(), None),
    ("no group length", p_data(pdv(command(element(0x100, us(0x30)), element(0x110, us(1)), element(0x800, us(0x101)),
                                           length=None))), echo_rsp(), None),
    ("C-STORE-RQ", p_data(pdv(echo_command(field=1))), USER_ABORT, "C-STORE-RQ on Verification"),
    ("C-FIND-RQ", p_data(pdv(echo_command(field=0x20))), USER_ABORT, "C-FIND-RQ on Verification"),
    ("C-CANCEL-RQ", p_data(pdv(echo_command(field=0xFFF))), USER_ABORT, "C-CANCEL-RQ on Verification"),
    ("C-ECHO-RSP", echo_rsp(), USER_ABORT, "C-ECHO-RSP on Verification"),
    ("a command without a name", p_data(pdv(echo_command(field=0x1234))), USER_ABORT, "command 1234H on Verification"),
    ("a data set announced", p_data(pdv(echo_command(data_set=0))), USER_ABORT, "C-ECHO-RQ with a data set"),
    ("a data set before its command", p_data(pdv(b"abcd", 1, 2)), USER_ABORT,
     "fragment of a data set, due: of a command"),
    ("a data set beside its command", p_data(pdv(echo_command()), pdv(b"abcd", 1, 2)), echo_rsp() + USER_ABORT,
     "fragment of a data set"),
    ("a data set amid its command", p_data(pdv(echo_command()[:8], 1, 1), pdv(b"abcd", 1, 2)), USER_ABORT,
     "fragment of a data set"),
    ("a context that was refused", p_data(pdv(echo_command(), 3)), USER_ABORT,
     "Presentation-context-ID is 3, due: one that"),
    ("a context that was not proposed", p_data(pdv(echo_command(), 77)), USER_ABORT, "Presentation-context-ID is 77"),
    ("an empty command set", p_data(pdv(b"")), USER_ABORT, "Command Field (0000,0100) is absent"),
    ("a command set of garbage", p_data(pdv(b"\xde\xad\xbe\xef" * 5)), USER_ABORT,
     "command set: group at byte 0 is ADDEH"),
    ("an element length of 2^32-1", p_data(pdv(lying(echo_command(), 16, 4, 0xFFFFFFFF))), USER_ABORT,
     "command set: Value Length of Affected SOP Class UID (0000,0002) at byte 16 is 4294967295, due: at most 48"),
    ("fragments that never end", p_data(pdv(b"x" * 16000, 1, 1)) * 5, USER_ABORT,
     "command set: longer than 65536 bytes"),
    ("empty fragments that never end", p_data(*[pdv(b"", 1, 1)] * 2000) * 17, USER_ABORT, "longer than 65536 bytes"),
    ("P-DATA-TF with no PDV", pdu(4, b""), INVALID, "P-DATA-TF: PDU-length at byte 2 is 0, due: at least 6"),
    ("P-DATA-TF over the maximum", pdu(4, b"\0" * 16385), INVALID, "PDU-length at byte 2 is 16385, due: at most 16384"),
    ("P-DATA-TF of 2^32-1", pdu(4, b"")[:2] + LARGEST, INVALID,
     "PDU-length at byte 2 is 4294967295, due: at most 16384"),
    ("PDV length 2^32-1", lying(echo_rq(), 6, 4, 0xFFFFFFFF), INVALID,
     "Item-length of PDV item at byte 6 is 4294967295"),
    ("PDV length 0", lying(echo_rq(), 6, 4, 0), INVALID, "Item-length of PDV item at byte 6 is 0"),
    ("PDV length 1", lying(echo_rq(), 6, 4, 1), INVALID, "Item-length of PDV item at byte 6 is 1"),
    ("PDV length up", lying(echo_rq(), 6, 4, 71), INVALID, "Item-length of PDV item at byte 6 is 71, due: 2 to 70"),
    ("PDV length down", lying(echo_rq(), 6, 4, 69), INVALID, "PDV item at byte 79 is cut off: 1 bytes are left"),
    ("PDU type 00H", pdu(0, b""), UNRECOGNIZED, "PDU-type at byte 0 is 00H"),
    ("PDU type 08H", pdu(8, b"abcd"), UNRECOGNIZED, "PDU-type at byte 0 is 08H"),
    ("PDU type FFH of 2^32-1", b"\xff\0" + LARGEST, UNRECOGNIZED, "PDU-type at byte 0 is FFH"),
    ("A-RELEASE-RQ of 5 bytes", pdu(5, b"12345"), INVALID, "A-RELEASE-RQ: PDU-length at byte 2 is 5, due: 4"),
    ("A-ABORT of 3 bytes", pdu(7, b"123"), INVALID, "A-ABORT: PDU-length at byte 2 is 3, due: 4"),
    ("A-ASSOCIATE-RQ of 67 bytes", pdu(1, b"x" * 67), INVALID, "A-ASSOCIATE-RQ: PDU-length at byte 2 is 67"),
    ("a second A-ASSOCIATE-RQ", RQ, UNEXPECTED, "A-ASSOCIATE-RQ in Sta6"),
    ("A-ASSOCIATE-AC", ALL_PDUS["AC"], UNEXPECTED, "A-ASSOCIATE-AC in Sta6"),
    ("A-ASSOCIATE-RJ", ALL_PDUS["RJ"], UNEXPECTED, "A-ASSOCIATE-RJ in Sta6"),
    ("A-RELEASE-RP", RELEASE_RP, UNEXPECTED, "A-RELEASE-RP in Sta6"),
    ("A-RELEASE-RQ", RELEASE_RQ, RELEASE_RP, None),
    ("A-ABORT of the user", USER_ABORT, b"", "A-ABORT from the peer: source 0: DICOM UL service-user"),
    ("A-ABORT of the provider", abort(2, 4), b"",
     "source 2: DICOM UL service-provider, reason 4: unrecognized-PDU parameter"),
    ("A-ABORT with reserved numbers", abort(9, 99), b"", "source 9: reserved, reason 99: reserved"),
    ("an end of the stream", b"", b"", "connection closed by the peer in Sta6"),
    ("an end in the middle", echo_rq()[:40], b"", "closed by the peer in Sta6 (association established, ready for data "
                                                  "transfer), after 40 of 80 bytes of P-DATA-TF"),
]

# In Sta13, after each way into it: every PDU type (PS3.8 Table 9-10, last column).
STA13_WAYS = [("after A-RELEASE-RP", [RQ, RELEASE_RQ]), ("after A-ASSOCIATE-RJ", [associate_rq(version=0)]),
              ("after A-ABORT in Sta2", [RELEASE_RQ]), ("after A-ABORT in Sta6", [RQ, RQ]),
              ("after an unknown PDU in Sta2", [pdu(0x99, b"abc")]),
              ("after an unknown PDU in Sta6", [RQ, pdu(0x99, b"abc")])]
STA13 = [("RQ", UNEXPECTED), ("AC", b""), ("RJ", b""), ("P-DATA", b""), ("RELEASE-RQ", b""), ("RELEASE-RP", b"")]


class Table(Case):
    """What arrives, in which state, what goes back, and what is told."""

    def check(self, name, driver, due, words):
        driver.end()
        got = driver.output
        if due == ACCEPTED:
            self.assertTrue([each for each in decode_ac(got)["contexts"] if each[1] == 0], name)
        elif due == REFUSED:
            answer, last = split(got)
            self.assertEqual(last, USER_ABORT, name)
            self.assertEqual([each for each in decode_ac(answer)["contexts"] if each[1] == 0], [], name)
        else:
            self.assertEqual(got, due, name)
        self.ending(driver)
        told = [str(each) for each in driver.errors()]
        if words is None:
            self.assertEqual([each for each in told if "closed by the peer in Sta6" not in each], [], name)
        else:
            self.assertEqual(len(told), 1, (name, told))
            self.assertIn(words, told[0], name)
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in told[0]), name)

    def ways(self, data):
        """The same bytes at once, in halves, and one by one where they are few."""
        yield [data]
        yield [data[:len(data) // 2], data[len(data) // 2:]]
        if len(data) < 400:
            yield every(data, 1)

    def test_sta2(self):
        for name, data, due, words in STA2:
            for trace in (False, True):
                for pieces in self.ways(data):
                    self.check(name, Driver(self.dul, trace=trace).feed(*pieces), due, words)

    def test_sta2_answers_on_the_header_alone(self):
        seen = 0
        for name, data, due, words in STA2:
            if due == USER_ABORT and ("PDU-type" in words or "PDU-length" in words
                                      or "in Sta2" in words) and "PDU-length one" not in name:
                seen += 1
                driver = self.open(data[:6])
                self.assertEqual((driver.before, driver.state), (due, "Sta13"), name)
                self.assertEqual(self.open(data[:5]).before, b"", name)
        self.assertEqual(seen, 17)

    def test_sta6(self):
        rq = associate_rq([context(1), context(3, CT_IMAGE)])
        for name, data, due, words in STA6:
            for trace in (False, True):
                for pieces in self.ways(data):
                    self.check(name, self.open(rq, trace=trace).feed(*pieces), due, words)

    def test_sta13_has_an_answer_for_every_pdu(self):
        for way, conversation in STA13_WAYS:
            for name, due in STA13:
                for pieces in self.ways(ALL_PDUS[name]):
                    driver = self.open(*conversation).feed(*pieces)
                    self.assertEqual(driver.output, due, (way, name))
                    self.assertEqual(driver.state, "Sta13")
            for pieces in self.ways(USER_ABORT):
                driver = self.open(*conversation).feed(*pieces)
                self.assertEqual((driver.output, driver.over), (b"", True), way)      # Evt16: it closes
        for way, conversation in STA13_WAYS[:4]:
            driver = self.open(*conversation).feed(pdu(0x99, b""), pdu(0x98, b""), RQ)
            self.assertEqual(driver.output, UNRECOGNIZED, way)      # once; then nothing tells where a PDU begins
            self.assertEqual(driver.feed(b"x" * 1000, USER_ABORT[:3], USER_ABORT[3:]).over, True)

    def test_a_stream_that_is_no_dicom_is_not_answered_again_and_again(self):
        for data in (b"\0" * 60000, b"\x99" * 60000, b"\x07\0\0\0\0\0" * 5000):
            for before in ((), (RQ,)):
                for pieces in ([data], every(data, 1000)):
                    self.assertLessEqual(len(self.open(*before).feed(*pieces).output), 20)

    def test_an_abort_within_what_is_no_pdu_is_heard(self):
        for before in ((), (RQ,), (RQ, RELEASE_RQ)):
            for body in (b"abc" * 9, b"", b"\7" * 50, b"\7\0\0\0\0" * 9):
                for pieces in self.ways(b"\x99\0\0\0\0\x0a" + body + USER_ABORT):
                    driver = self.open(*before).feed(*pieces)
                    self.assertTrue(driver.over, (before, body))


class Headers(Case):
    """What is to be done with a PDU after its header."""

    def test_each_state_says_what_is_done_with_each_header(self):
        dul = self.dul
        read, skip, seek, discard = dul.READ, dul.SKIP, dul.SEEK, dul.DISCARD
        self.assertEqual(len(set((read, skip, seek, discard))), 4)
        lengths = {1: 172, 2: 172, 3: 4, 4: 74, 5: 4, 6: 4, 7: 4}
        # by PDU-type: 01H to 07H, one that is unknown, 05H with a wrong length
        table = {"Sta2": ([], [read] + [skip] * 5 + [read], seek, discard),
                 "Sta3": ([RQ], [skip] * 6 + [read], seek, discard),
                 "Sta6": ([RQ], [skip, skip, skip, read, read, skip, read], seek, discard),
                 "Sta7": ([RQ, "release"], [skip, skip, skip, read, read, read, read], seek, discard),
                 "Sta10": ([RQ, "release", RELEASE_RQ], [skip] * 5 + [read, read], seek, discard),
                 "Sta13": ([RQ, RELEASE_RQ], [skip] * 6 + [read], discard, discard)}
        for state, (steps, by_type, unknown, wrong) in sorted(table.items()):
            headers = [(kind, lengths[kind], due) for kind, due in enumerate(by_type, 1)]
            for kind, length, due in headers + [(0x99, 4, unknown), (5, 5, wrong), (7, 3, wrong)]:
                driver = self.open(respond=state != "Sta3")
                for step in steps:
                    driver.association.release() and driver.apply() if step == "release" else driver.feed(step)
                self.assertEqual(driver.state, state)
                self.assertEqual(driver.association.header(kind, length, b""), due, (state, kind, length))

    def test_a_p_data_tf_of_more_than_1_mib_is_skipped_where_no_limit_was_announced(self):
        for state, respond, steps in (("Sta6", True, ()), ("Sta7", True, ("release",))):
            for length, due in ((1048576, self.dul.READ), (1048577, self.dul.SKIP)):
                driver = self.open(RQ, maximum_length=0)
                if steps:
                    driver.association.release()
                    driver.apply()
                self.assertEqual((driver.state, driver.association.header(4, length, b"")), (state, due))


for each in (Cells, Conversations, Clocks, Ends, Table, Headers):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
