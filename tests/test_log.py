"""Facts as log lines, warnings that cannot fill a disk, and a writer that holds nothing up."""
import logging
import sys
import threading
import unittest

from support import LogCapture, Recorder, both_forms, good_echo, replace_name, serve, wait_until
from wire import (
    CT_IMAGE, RELEASE_RQ, Peer, abort, associate_rq, context, echo_command, echo_rq, item, p_data, pdu, pdv,
    user_information)

GOOD = ["I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
        "I: Association Released"]
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Lines(object):
    """What is logged of an association, at each level."""

    def setUp(self):
        self.log = LogCapture(self, logging.INFO)
        self.recorder = Recorder()
        self.server = serve(self, on_event=self.recorder)

    def send(self, *pieces):
        """One connection that sends these, one after another, each after an answer to the one before."""
        with Peer(self.server.address) as peer:
            for piece in pieces[:-1]:
                peer.send(piece).pdu()
            peer.send(pieces[-1]).finish()
        self.recorder.ends()

    def test_a_good_echo_logs_the_manuals_lines_and_nothing_else(self):
        good_echo(self.server.address)
        self.recorder.ends()
        self.assertEqual(self.log.lines(), GOOD)

    def test_what_is_refused_logs_the_manuals_lines_and_one_explanation(self):
        self.send(associate_rq([context(1, CT_IMAGE), context(3, CT_IMAGE)]))
        lines = self.log.lines()
        self.assertEqual(lines[:-1], ["I: Association Received", "I: Association Accepted", "I: Aborting Association"])
        self.assertRegex(lines[-1], r"^W: 127\.0\.0\.1:\d+: proposed 2 contexts, no Verification: CT Image Storage: this is "
                                    "an echo server$")

    def test_each_end_has_its_words(self):
        for pieces, due in (
                ([associate_rq(version=0)], ["I: Association Received", "I: Association Rejected", "W: "]),
                ([associate_rq(), abort(0, 0)], GOOD[:2] + ["I: Association Aborted", "W: "]),
                ([b"GET / HTTP/1.0\r\n"], ["I: Aborting Association", "W: "]),
                ([associate_rq(), pdu(0x77, b"")], GOOD[:2] + ["I: Aborting Association", "W: "]),
                ([associate_rq(), echo_rq(), RELEASE_RQ], GOOD), ([associate_rq(), RELEASE_RQ], GOOD[:2] + GOOD[3:]),
                ([associate_rq(), b""], GOOD[:2] + ["W: "])):
            del self.log.records[:]
            self.send(*pieces)
            self.assertEqual([line[:3] if line[:1] == "W" else line for line in self.log.lines()], due)

    def test_the_default_is_silent_while_all_is_well_and_explains_what_is_not(self):
        self.log.logger.setLevel(logging.WARNING)
        good_echo(self.server.address)
        self.recorder.ends()
        self.send(associate_rq([context(1, CT_IMAGE)]))
        self.assertEqual([line[:2] for line in self.log.lines()], ["W:"])

    def test_above_warning_a_peer_cannot_make_it_speak(self):
        for level in (logging.ERROR, logging.CRITICAL, logging.CRITICAL + 1):
            self.log.logger.setLevel(level)
            self.send(b"GET / HTTP/1.0\r\n")
            self.send(associate_rq([context(1, CT_IMAGE)]), b"")
            self.assertEqual(self.log.lines(), [])
        self.assertLess(self.server.log.limit.began, 0)     # and nothing is counted of what is not told

    def test_debug_dumps_between_the_manuals_lines(self):
        self.log.logger.setLevel(logging.DEBUG)
        good_echo(self.server.address)
        self.recorder.ends()
        lines = self.log.lines()
        self.assertRegex(lines[0], r"^D: Connection 1 from 127\.0\.0\.1:\d+$")
        self.assertEqual([line for line in lines if line[:2] != "D:"], GOOD)
        start = lines.index("I: Association Received")
        self.assertEqual(lines[start + 1:start + 4], [
            "D: Request Parameters:", "D: ====================== BEGIN A-ASSOCIATE-RQ =============================",
            "D: Their Implementation Class UID: 1.2.3.4"])
        self.assertEqual(lines[lines.index("I: Association Accepted") - 1],
                         "D: ======================= END A-ASSOCIATE-AC ==============================")
        for due in ("D: Sta2 + Evt6 -> AE-6 -> Sta3", "D: Sta6 + Evt10 -> DT-2 -> Sta6", "D: Sta6 + Evt9 -> DT-1 -> Sta6",
                    "D: Sta8 + Evt14 -> AR-4 -> Sta13"):
            self.assertIn(due, lines)

    def test_broken_dicom_is_explained_before_its_bytes_are_shown(self):
        self.log.logger.setLevel(logging.DEBUG)
        data = associate_rq()
        self.send(data[:76] + b"\x12\x34" + data[78:])
        lines = self.log.lines()
        at = [number for number, line in enumerate(lines) if line.startswith("W: ")]
        self.assertEqual(len(at), 1)
        self.assertTrue(lines[at[0]].endswith("A-ASSOCIATE-RQ: Item-length of item 10H in A-ASSOCIATE-RQ at byte 76 is 4660, "
                                              "due: at most 94 (PS3.8 9.3.2)"))
        self.assertEqual(lines[at[0] - 1], "I: Aborting Association")
        self.assertEqual(lines[at[0] + 1], "D: ====================== BEGIN INVALID PDU =============================")
        self.log.logger.setLevel(logging.INFO)
        del self.log.records[:]
        self.send(data[:76] + b"\x12\x34" + data[78:])
        self.assertEqual([line[:2] for line in self.log.lines()], ["I:", "W:"])

    def test_an_echo_for_another_sop_class_is_answered_and_told(self):
        self.send(associate_rq(), p_data(pdv(echo_command(4, CT_IMAGE))), RELEASE_RQ)
        lines = self.log.lines()
        self.assertEqual(lines[2], "I: Received Echo Request (MsgID 4)")
        self.assertRegex(lines[3], r"^W: 127\.0\.0\.1:\d+: C-ECHO-RQ for CT Image Storage, not for Verification: answered "
                                   r"with status 0122H, Refused: SOP Class not supported \(PS3\.7 9\.1\.5\)$")

    def test_the_attributes_of_a_record_are_the_peers(self):
        with Peer(self.server.address) as peer:
            peer.associate(calling=b"MODALITY", called=b"\x1bARCHIVE")
            peer.send(pdu(0x77, b"")).finish()
            name = "127.0.0.1:%d" % peer.sock.getsockname()[1]
        self.recorder.ends()
        for record in self.log.records:
            self.assertEqual((record.peer, record.association, record.calling, record.called),
                             (name, 1, "MODALITY", "\\x1bARCHIVE"))
            self.assertEqual(record.name, "echoscp")
        told = self.log.records[-1]
        self.assertEqual(told.getMessage(), "%s: %s" % (name, told.text))
        self.assertTrue(told.text.startswith("PDU: PDU-type"))
        del self.log.records[:]
        self.send(b"GET / HTTP/1.0\r\n")
        self.assertEqual((self.log.records[0].calling, self.log.records[0].called), ("-", "-"))
        self.server.log.line(logging.WARNING, "of nobody")
        record = self.log.records[-1]
        self.assertEqual((record.peer, record.association, record.calling, record.called, record.text),
                         ("-", "-", "-", "-", "of nobody"))

    def test_text_is_never_used_as_a_format_and_long_lines_are_cut(self):
        self.server.log.line(logging.WARNING, "100%s %d%n %(peer)s")
        self.assertEqual(self.log.lines()[-1], "W: 100%s %d%n %(peer)s")
        for length in (2000, 2001, 1000000):
            self.server.log.line(logging.WARNING, "x" * length)
        due = ["x" * 2000, "x" * 2000 + " ... (1 characters more)", "x" * 2000 + " ... (998000 characters more)"]
        self.assertEqual(self.log.lines()[-3:], ["W: " + text for text in due])

    def test_nothing_that_a_peer_sends_forges_a_line_or_steers_a_terminal(self):
        self.log.logger.setLevel(logging.DEBUG)
        self.send(associate_rq(called=b"%s%n\nI: Forged", calling=b"\x1b[2J\r\x07", contexts=[context(1), context(
            3, b"1.2\nI: Forged\x9b", (b"%d\n",))]), p_data(pdv(echo_command(sop_class=b"1.2\x1b[2J.3"))), abort(0, 0))
        self.send(b"GET /\x1b[2J%s HTTP/1.1\nI: Forged\n")
        long = b"\x07" * 30000
        self.send(associate_rq([context(1, long, (long,)), context(3)],
                               user=user_information(item(0x52, long), item(0x55, long))),
                  p_data(pdv(echo_command(sop_class=long[:9000]), 3)) + abort(0, 0))
        self.assertIn("D: Calling Application Name: \\x1b[2J\\x0d\\x07", self.log.lines())
        for line in self.log.lines():
            self.assertTrue(all(0x20 <= ord(character) < 0x7F for character in line), line)
            self.assertNotEqual(line[:9], "I: Forged")
            self.assertLess(len(line), 2100)

    def test_no_secret_is_in_it_at_any_level(self):
        self.log.logger.setLevel(logging.DEBUG)
        secret = item(0x58, b"\2\1\0\5maria\0\6geheim")
        request = associate_rq(user=user_information(secret))
        for data in (request, associate_rq(user=user_information(secret + b"\x51")),
                     b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n" + request,
                     PROXY_V2 + b"\x21\x11\0\x0c" + b"\0" * 12 + request, b"\0\0\0\0\0\4abcd" + request,
                     b"GET / HTTP/1.1\r\nAuthorization: Basic bWFyaWE6Z2VoZWlt\r\n\r\n"):
            self.send(data)
        text = "\n".join(self.log.lines())
        self.assertIn("User name and passcode", text)
        self.assertIn("PROXY protocol version 2", text)
        for form in ("maria", "geheim", "67 65 68 65", "6d 61 72", "gehei", "bWFya", "62 57 46"):
            self.assertEqual([line for line in text.splitlines() if form in line], [])

    def test_with_several_associations_every_line_tells_whose_it_is(self):
        for level, peers in ((logging.DEBUG, True), (logging.INFO, True), (logging.WARNING, False)):
            self.log.logger.setLevel(level)
            del self.log.records[:]
            with Peer(self.server.address) as one:
                one.associate()
                wait_until(lambda: self.recorder.kinds()[-1:] == ["accepted"], "one is open")
                with Peer(self.server.address) as two:
                    two.associate()
                    two.send(echo_rq(77)).pdu()
                    start = "[%d 127.0.0.1:%d] " % (self.recorder.notices[-1].association, two.sock.getsockname()[1])
                    two.send(pdu(0x77, b"")).finish()
                wait_until(lambda: "closed" in self.recorder.kinds(), "two is over")
                one.send(RELEASE_RQ).finish()
            self.recorder.ends(2)
            if not peers:
                self.assertRegex(self.log.lines()[0], r"^W: 127\.0\.0\.1:\d+: PDU: PDU-type")
                continue
            lines = self.log.lines()
            self.assertIn("I: Association Received", lines)         # while there was one
            self.assertIn("I: %sReceived Echo Request (MsgID 77)" % start, lines)
            self.assertIn("I: Association Released", lines)         # and when there was one again
            self.assertEqual([line[:len(start) + 19] for line in lines if line.startswith("W: ")],
                             ["W: %sPDU: PDU-type at" % start])

    def test_a_load_balancers_own_check_is_no_warning_and_its_header_before_dicom_is(self):
        for header in (b"PROXY UNKNOWN\r\n", PROXY_V2 + b"\x20\0\0\0"):
            del self.log.records[:]
            self.send(header)
            self.assertEqual([line for line in self.log.lines() if "PROXY" in line and line[:1] == "W"], [])
            self.assertEqual(len([line for line in self.log.lines() if "PROXY protocol" in line]), 1)
            del self.log.records[:]
            self.send(header, associate_rq())
            self.assertEqual(len([line for line in self.log.lines() if "PROXY protocol" in line and line[:1] == "W"]), 1)
            del self.log.records[:]
            self.send(header + associate_rq())
            self.assertEqual(len([line for line in self.log.lines() if "PROXY protocol" in line and line[:1] == "W"]), 1)
            del self.log.records[:]
            self.send(associate_rq(), header)       # too late to be a load balancer's
            self.assertEqual(len([line for line in self.log.lines() if "PDU-type at byte 0" in line and line[:1] == "W"]), 1)
        self.assertEqual(self.server.log.proxied, {})


class Levels(object):
    """level_of(): whose end is a warning."""

    def test_what_is_said_to_a_peer_on_purpose_is_for_debug_alone(self):
        meant, unmeant = self.dul.ClosedHere("closed: this server stops"), self.dul.ClosedHere("closed here to make room")
        meant.expected = True
        for kind, value, due in (("aborting", self.dul.Stopped("this server stops"), logging.DEBUG),
                                 ("lost", meant, logging.DEBUG), ("lost", unmeant, logging.WARNING),
                                 ("aborting", self.dul.MessageError("no message"), logging.WARNING)):
            self.assertEqual(self.dul.level_of(kind, value), due)

    def test_a_client_that_has_its_echo_and_just_closes_is_information(self):
        for closed, echoes, progress, due in ((True, 1, "", logging.INFO), (True, 9, "", logging.INFO),
                                              (False, 1, "", logging.WARNING), (True, 0, "", logging.WARNING),
                                              (True, 1, "2 of the 6 bytes of a PDU header", logging.WARNING)):
            error = self.dul.ConnectionLost("connection lost")
            error.closed, error.echoes, error.progress = closed, echoes, progress
            self.assertEqual(self.dul.level_of(self.dul.LOST, error), due)


class Limits(object):
    """Warnings that cannot fill a disk."""

    def limit(self):
        self.now = 1000.0
        replace_name(self, "log", "monotonic", lambda: self.now)
        return self.dul.WarningLimit()

    def test_ten_a_minute_are_told_of_one_address_and_the_rest_is_counted(self):
        limit = self.limit()
        for address in ("a", "b"):
            self.assertEqual([limit.permits(address) for _ in range(13)], [True] * 10 + [False] * 3)
        self.assertEqual((limit.end_minute(), limit.end_minute()), (6, 0))

    def test_who_is_to_tell_the_count_is_woken_once_and_by_the_first_that_is_counted(self):
        limit, woken = self.limit(), []
        limit.wake = lambda: woken.append((limit.held, limit.lock.locked()))
        for _ in range(20):
            limit.permits("a")
        self.assertEqual(woken, [(0, True)])        # under the lock: two threads cannot both think that they are the second
        limit.end_minute()
        for _ in range(20):
            limit.permits("a")
        self.assertEqual(len(woken), 2)

    def test_a_hundred_a_minute_are_told_of_all_addresses(self):
        limit = self.limit()
        self.assertEqual([limit.permits(str(number)) for number in range(150)], [True] * 100 + [False] * 50)
        self.assertLessEqual(len(limit.told), 100)
        self.assertEqual(limit.end_minute(), 50)
        for number in range(100000):
            limit.permits("address %d" % number)
        self.assertLessEqual(len(limit.told), 100)

    def test_the_minute_is_over_after_a_minute_and_not_before(self):
        limit = self.limit()
        self.assertIsNone(limit.pause())
        self.assertTrue(limit.permits("a"))
        self.now += 59.0
        self.assertEqual([limit.permits("a") for _ in range(10)], [True] * 9 + [False])
        self.assertEqual(limit.pause(), 1.0)
        self.now += 5.0
        self.assertEqual(limit.pause(), 0.0)
        self.assertFalse(limit.permits("a"))            # as long as the count is not told
        self.assertEqual(limit.end_minute(), 2)
        self.assertIsNone(limit.pause())
        self.assertEqual([limit.permits("a") for _ in range(11)], [True] * 10 + [False])

    def test_a_minute_without_a_count_ends_by_itself(self):
        limit = self.limit()
        for pause, due in ((0.0, 10), (59.5, 0), (0.5, 10)):
            self.now += pause
            told = [limit.permits("a") for _ in range(due or 1)]
            self.assertEqual(told, [True] * due or [False])
            limit.held = 0

    def test_a_topic_is_told_once_a_minute_in_bounded_memory(self):
        limit = self.limit()
        for pause, due in ((0.0, True), (0.0, False), (59.9, False), (0.1, True), (59.0, False), (1.0, True)):
            self.now += pause
            self.assertEqual(limit.first("a"), due)
            self.assertIs(limit.first("b %f" % self.now) and limit.first("b %f" % self.now), False)
        for number in range(5000):
            self.assertTrue(limit.first(str(number)))
            self.assertLessEqual(len(limit.last), 1024)
        self.assertGreater(len(limit.last), 500)

    def test_a_topic_is_told_at_any_time_since_the_start_of_the_clock(self):
        limit = self.limit()
        for self.now in (0.0, 0.1, 1e-9, 59.99999, 1e6):
            self.assertTrue(limit.first(self.now))


class LimitsOverSockets(object):
    """The same with peers, and the one line that tells the count."""

    def setUp(self):
        self.offset = 1000.0        # this clock stands still but for the tests
        replace_name(self, "log", "monotonic", lambda: self.offset)
        self.log = LogCapture(self, logging.WARNING)
        self.recorder = Recorder()
        self.server = serve(self, on_event=self.recorder)

    def connect(self, count, data=b"GET / HTTP/1.0\r\n"):
        for _ in range(count):
            with Peer(self.server.address) as peer:
                peer.send(data).finish()
        self.recorder.ends(count)

    def test_each_of_ten_is_told_then_a_count_when_the_minute_is_over(self):
        self.connect(10)
        self.assertEqual(len(self.log.lines()), 10)
        wait_until(lambda: self.server.pool.idle >= 2, "the server sleeps")
        self.connect(1)
        wait_until(lambda: self.server.wake_reader.gettimeout(), "it sleeps until the minute is over")
        self.assertTrue(0 < self.server.wake_reader.gettimeout() <= 60)
        self.connect(2)
        self.assertEqual(len(self.log.lines()), 10)
        self.offset += 60.0
        self.server.wake()
        self.assertEqual(self.log.saw("further"), [
            "W: 3 further warnings in the last minute (100 a minute are shown, 10 of one address)"])
        self.connect(1)         # told again
        self.assertEqual(len(self.log.saw("HTTP request", 11)), 11)
        self.assertEqual(self.log.records[-2].peer, "-")

    def test_the_count_is_told_when_the_server_stops(self):
        self.connect(11)
        self.server.stop()
        self.assertEqual(self.log.lines()[-1], "W: 1 further warning in the last minute (100 a minute are shown, 10 of one "
                                               "address)")

    def test_information_is_not_limited(self):
        self.log.logger.setLevel(logging.INFO)
        for _ in range(15):
            with Peer(self.server.address) as peer:
                peer.associate()
                peer.send(echo_rq()).pdu()
            self.recorder.ends()
        self.assertEqual(len(self.log.saw("connection closed by the peer in Sta6", 15)), 15)

    def test_a_bare_connect_is_told_once_a_minute_for_an_address(self):
        for _ in range(5):
            Peer(self.server.address).close()
        kinds = [notice.kind for notice in self.recorder.ends(5)]
        self.assertEqual(kinds.count("bare"), 5)
        self.assertEqual(len(self.log.lines()), 1)
        self.assertRegex(self.log.lines()[0], r"^W: 127\.0\.0\.1:\d+: connected and sent nothing, then: connection closed by "
                                              r"the peer; a port check or a load balancer \(told once a minute for each "
                                              r"address\)$")
        self.offset += 59.0
        Peer(self.server.address).close()
        self.recorder.ends()
        self.assertEqual(len(self.log.lines()), 1)
        self.offset += 1.5
        Peer(self.server.address).close()
        self.recorder.ends()
        self.assertEqual(len(self.log.lines()), 2)
        self.log.logger.setLevel(logging.DEBUG)
        Peer(self.server.address).close()
        self.recorder.ends()
        self.assertEqual(len([line for line in self.log.lines(logging.DEBUG) if "sent nothing" in line]), 1)

    def test_pressure_is_told_once_a_minute_for_each_topic(self):
        for topic in ("accept", "threads", "accept", "threads"):
            self.server.log.pressure(topic, "no room for " + topic)
        self.assertEqual(self.log.lines(), ["W: no room for accept", "W: no room for threads"])
        self.offset += 60.5
        self.server.log.pressure("accept", "again")
        self.assertEqual(self.log.lines()[-1], "W: again")


class Embedding(object):
    """Records where they happen, in the thread of the connection."""

    def test_a_record_is_handled_in_the_thread_in_which_it_happens(self):
        threads = set()
        log = LogCapture(self, logging.INFO, lambda record: threads.add(threading.current_thread().ident == record.thread))
        recorder = Recorder()
        good_echo(serve(self, on_event=recorder).address)
        recorder.ends()
        self.assertEqual((threads, log.records), (set([True]), []))

    def test_a_handler_that_raises_harms_no_association(self):
        for error in (KeyError("mistake"), SystemExit(3), KeyboardInterrupt(), MemoryError()):
            def emit(record):
                raise error
            LogCapture(self, logging.DEBUG, emit)
            server = serve(self)
            for _ in range(3):
                good_echo(server.address)
            with Peer(server.address) as peer:
                peer.associate()
                self.assertEqual(peer.send(pdu(0x77, b"")).finish(), abort(2, 1))

    def test_a_filter_that_raises_harms_no_association(self):
        log = LogCapture(self, logging.DEBUG)

        class Filter(logging.Filter):
            def filter(self, record):
                raise KeyError("mistake")
        mistake = Filter()
        log.logger.addFilter(mistake)
        self.addCleanup(log.logger.removeFilter, mistake)
        good_echo(serve(self).address)

    def test_a_record_factory_that_raises_harms_no_association(self):
        LogCapture(self, logging.INFO)
        logger = logging.getLogger("echoscp")

        def make_record(*_, **__):
            raise KeyError("Attempt to overwrite 'peer' in LogRecord")
        logger.makeRecord = make_record
        self.addCleanup(delattr, logger, "makeRecord")
        good_echo(serve(self).address)

    def test_peers_of_one_address_are_one(self):
        class Connection(object):
            """Of a peer."""
        for peer, due in (("192.0.2.1:4711", "192.0.2.1"), ("[2001:db8::7]:4711", "[2001:db8::7]")):
            Connection.peer = peer
            self.assertEqual(self.dul.address_of(Connection), due)

    def test_the_level_is_looked_up_when_a_line_is_due(self):
        log = LogCapture(self, logging.WARNING)
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            log.logger.setLevel(level)
            for other in (10, 20, 30, 40, 50):
                self.assertEqual(self.dul.enabled(other), other >= level)
            self.assertEqual(self.dul.Log.levels(), (level <= 10, level <= 20))

    def test_before_logging_is_imported_its_default_level_holds(self):
        LogCapture(self, logging.DEBUG)
        replace_name(self, "log", "FOUND", [])
        saved = sys.modules.pop("logging")
        try:
            self.assertEqual([self.dul.enabled(level) for level in (10, 20, 30, 40, 50)], [False, False, True, True, True])
        finally:
            sys.modules["logging"] = saved
        self.assertEqual([self.dul.enabled(level) for level in (10, 20, 30, 40, 50)], [True] * 5)


class Writer(object):
    """LogWriter."""

    def writer(self, emit=None, limit=None):
        """A writer whose records go to ``self.log``."""
        if limit:
            replace_name(self, "log", "QUEUE_LIMIT", limit)
        self.log = LogCapture(self, logging.DEBUG, emit)
        return self.dul.LogWriter()

    def record(self, text, level=logging.INFO, **more):
        return self.dul.new_record(level, text, dict(self.dul.NO_PEER, text=text, **more))

    def test_order_and_attributes_stay(self):
        writer = self.writer()
        records = [self.record("line %d" % number) for number in range(500)]
        extra = self.dul.new_record(logging.ERROR, "%s", {"peer": "p", "association": 3, "calling": "a", "called": "b",
                                                          "text": "t"}, (KeyError, KeyError(1), None))
        for record in records + [extra]:
            writer.put(record)
        writer.finish(20)
        self.assertEqual(len(self.log.records), 501)
        for got, due in zip(self.log.records, records + [extra]):
            self.assertIs(got, due)
        last = self.log.records[-1]
        self.assertEqual((last.peer, last.association, last.calling, last.called, last.text, last.levelname, last.getMessage()),
                         ("p", 3, "a", "b", "t", "ERROR", "%s"))
        self.assertEqual(last.thread, threading.current_thread().ident)     # where it happened, not where it is written
        self.assertEqual(last.exc_info[0], KeyError)

    def test_it_writes_in_a_thread_of_its_own(self):
        threads = []
        writer = self.writer(lambda record: threads.append(threading.current_thread().ident))
        for _ in range(3):
            writer.put(self.record("x"))
        writer.finish(20)
        self.assertEqual(len(threads), 3)
        self.assertEqual(len(set(threads)), 1)
        self.assertNotIn(threading.current_thread().ident, threads)

    def test_a_handler_that_raises_ends_nothing(self):
        seen = []

        def emit(record):
            seen.append(record)
            raise (SystemExit, KeyError, KeyboardInterrupt)[len(seen) % 3]
        writer = self.writer(emit)
        for _ in range(6):
            writer.put(self.record("x"))
        writer.finish(20)
        self.assertEqual(len(seen), 6)

    def blocked(self, limit=None):
        """A writer whose handler blocks until ``self.go`` is set, and is in it."""
        go, entered, written = threading.Event(), threading.Event(), []
        self.go, self.written = go, written

        def emit(record):
            entered.set()
            go.wait(20)
            written.append(record.getMessage())
        writer = self.writer(emit, limit)
        self.addCleanup(go.set)
        writer.put(self.record("first"))
        self.assertTrue(entered.wait(20))
        return writer

    def test_a_lack_of_memory_for_a_moment_ends_nothing(self):
        replace_name(self, "log", "RETRY_PAUSE", 0.001)
        writer, failures = self.writer(), [MemoryError(), RuntimeError("can't allocate lock")]
        real = self.dul.hand_over

        def fail(record):
            if failures:
                raise failures.pop()
            real(record)
        replace_name(self, "log", "hand_over", fail)
        for number in range(3):
            writer.put(self.record("line %d" % number))
        writer.finish(20)
        self.assertEqual([record.text for record in self.log.records], ["line 2"])

    def test_a_handler_that_blocks_holds_up_neither_an_association_nor_the_end(self):
        writer = self.blocked()
        server = serve(self)
        server.log.put = writer.put
        for _ in range(5):
            good_echo(server.address, timeout=5.0)
        start = self.dul.monotonic()
        writer.finish(0.1)
        self.assertTrue(0.05 <= self.dul.monotonic() - start < 5)
        server.stop()
        self.assertTrue(self.dul.monotonic() - start < 5)
        self.assertEqual(self.written, [])
        self.go.set()
        writer.finish(20)
        self.assertGreater(len(self.written), 5 * 40)

    def test_finish_waits_for_the_record_that_is_being_written(self):
        writer = self.blocked()
        done = []
        thread = threading.Thread(target=lambda: (writer.finish(20), done.append(list(self.written))))
        thread.start()
        thread.join(0.05)
        self.assertEqual(done, [])
        self.go.set()
        thread.join(20)
        self.assertEqual(done, [["first"]])
        writer.finish(20)       # and returns at once where nothing waits

    def test_the_queue_is_bounded_and_what_is_dropped_is_counted_where_it_is_missing(self):
        for more, words in ((3, "3 lines were dropped here: the log took no more"),
                            (1, "1 line was dropped here: the log took no more")):
            writer = self.blocked(5)
            for number in range(5 + more):
                writer.put(self.record("line %d" % number))
            self.assertEqual(len(writer.records), 5)
            self.go.set()
            writer.finish(20)
            self.assertEqual(self.written, ["first"] + ["line %d" % number for number in range(5)] + [words])
            writer.put(self.record("later"))
            writer.finish(20)
            self.assertEqual(self.written[-2:], [words, "later"])

    def test_what_is_dropped_is_told_before_the_end(self):
        writer = self.blocked(5)
        for number in range(7):
            writer.put(self.record("line %d" % number))

        def go():
            wait_until(lambda: None in writer.records, "the end is near")
            self.go.set()
        thread = threading.Thread(target=go)
        thread.start()
        writer.finish(20)
        thread.join()
        self.assertEqual(self.written[-2:], ["line 4", "2 lines were dropped here: the log took no more"])

    def test_what_is_dropped_is_not_told_where_warnings_are_not(self):
        writer = self.blocked(1)
        self.log.logger.setLevel(logging.ERROR)
        for number in range(3):
            writer.put(self.record("line %d" % number))
        self.go.set()
        writer.finish(20)
        self.assertEqual(self.written, ["first", "line 0"])

    def test_a_thread_that_cannot_be_started_is_told_to_the_caller(self):
        def fail(*_):
            raise RuntimeError("can't start new thread")
        replace_name(self, "log", "start_new_thread", fail)
        self.assertRaises(RuntimeError, self.dul.LogWriter)


for each in (Lines, Levels, Limits, LimitsOverSockets, Embedding, Writer):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
