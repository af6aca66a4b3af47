"""Notices for an embedding program, and the sums."""
import logging
import threading
import unittest

from support import LogCapture, Recorder, at_length, both_forms, good_echo, serve, wait_until
from wire import (
    CT_IMAGE, RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, context, echo_command, echo_rq, echo_rsp, p_data, pdu, pdv,
    reject)


class Notices(object):
    """What on_event is called with."""

    def setUp(self):
        self.recorder = Recorder()
        self.server = serve(self, on_event=self.recorder)

    def test_a_good_echo_is_told_step_by_step(self):
        with Peer(self.server.address) as peer:
            peer.associate(calling=b"MODALITY", called=b"ARCHIVE")
            peer.send(echo_rq(5)).pdu()
            peer.send(pdu(5, b"\0\0\0\0")).pdu()
            address = "127.0.0.1:%d" % peer.sock.getsockname()[1]
        notices = self.recorder.saw("connected", "received", "accepted", "echoed", "released", "closed")
        self.assertEqual(set([notice.peer for notice in notices]), set([address]))
        self.assertEqual([notice.association for notice in notices], [1] * 6)
        self.assertEqual([notice.message_id for notice in notices], [None, None, None, 5, None, None])
        self.assertEqual([notice.calling for notice in notices], [""] + ["MODALITY"] * 5)
        self.assertEqual([notice.called for notice in notices], [""] + ["ARCHIVE"] * 5)
        self.assertEqual([(notice.sentence, notice.error) for notice in notices], [("", None)] * 6)
        self.assertEqual(len(set([notice.handle for notice in notices])), 1)
        self.assertEqual(repr(notices[3]), "Notice(echoed, association=1, peer=%s)" % address)

    def test_what_goes_wrong_is_told_in_the_sentence_of_the_log_with_its_error(self):
        ways = [
            (lambda peer: peer.associate(version=0), ("received", "rejected"), "Rejected", "protocol-version-not-supported"),
            (lambda peer: (peer.associate(), peer.send(pdu(0x77, b"")).pdu()), ("received", "accepted", "aborting"),
             "InvalidPDU", "PDU: PDU-type at byte 0 is 77H, due: 01H to 07H (PS3.8 9.3.1)"),
            (lambda peer: (peer.associate(), peer.send(abort(0, 0)).rest()), ("received", "accepted", "aborted"), "Aborted",
             "A-ABORT from the peer: source 0: DICOM UL service-user"),
            (lambda peer: (peer.associate(), peer.reset()), ("received", "accepted", "lost"), "ConnectionLost", "onnection"),
            (lambda peer: peer.finish(), ("bare",), "ConnectionLost", "connection closed by the peer"),
            (lambda peer: peer.send(b"GET / HTTP/1.1\r\n").finish(), ("aborting",), "InvalidPDU",
             "HTTP request (GET / HTTP/1.1)"),
        ]
        log = LogCapture(self, logging.DEBUG)
        for way, kinds, kind_of_error, words in ways:
            with Peer(self.server.address) as peer:
                way(peer)
            notice = self.recorder.saw(*(("connected",) + kinds + ("closed",)))[-2]
            self.assertIn(words, notice.sentence)
            self.assertIs(type(notice.error), getattr(self.dul, kind_of_error))
            self.assertTrue(repr(notice).endswith(": %s)" % notice.sentence))
            if kinds != ("bare",):
                log.saw(notice.sentence)

    def test_an_expired_request_is_told(self):
        server = serve(self, on_event=self.recorder, acse_timeout=1)
        with Peer(server.address) as peer:
            peer.send(associate_rq()[:22])
            self.assertEqual(peer.rest(), b"")
        notice = self.recorder.saw("connected", "expired", "closed")[1]
        self.assertIs(type(notice.error), self.dul.Expired)
        self.assertIn("22 of 172 bytes of A-ASSOCIATE-RQ", notice.sentence)

    def test_an_echo_of_another_sop_class_has_the_sentence_of_the_log(self):
        log = LogCapture(self, logging.WARNING)
        with Peer(self.server.address) as peer:
            peer.associate()
            peer.send(p_data(pdv(echo_command(5, CT_IMAGE))) + echo_rq(6)).read(1)
        refused, good = self.recorder.ends()[3:5]
        self.assertEqual((refused.kind, refused.message_id, refused.error, good.sentence), ("echoed", 5, None, ""))
        self.assertEqual(refused.sentence, "C-ECHO-RQ for CT Image Storage, not for Verification: answered with status 0122H, "
                                           "Refused: SOP Class not supported (PS3.7 9.1.5)")
        log.saw(refused.sentence)

    def test_steps_and_pdus_of_the_debug_level_are_no_notices(self):
        LogCapture(self, logging.DEBUG)
        good_echo(self.server.address)
        self.recorder.saw("connected", "received", "accepted", "echoed", "released", "closed")

    def test_connections_are_numbered_and_told_in_their_own_threads(self):
        threads = []
        self.recorder.also = lambda notice: threads.append((notice.association, threading.current_thread().name))
        with Peer(self.server.address) as one, Peer(self.server.address) as two:
            one.associate()
            two.associate()
        wait_until(lambda: self.recorder.kinds().count("closed") == 2, "they are over")
        by_number = dict((number, set(name for other, name in threads if other == number)) for number, _ in threads)
        self.assertEqual(sorted(by_number), [1, 2])
        self.assertEqual([len(names) for names in by_number.values()], [1, 1])
        self.assertNotEqual(by_number[1], by_number[2])


class SumsOfAll(object):
    """EchoServer.summary()."""

    def test_each_connection_counts_once_by_its_end_and_each_echo(self):
        log = LogCapture(self, logging.WARNING)
        server = serve(self, acse_timeout=2)
        self.assertEqual(server.summary(), "0 connections, at most 0 at once; 0 echoes; 0 released, "
                                           "0 rejected, 0 aborted here, 0 aborted by the peer, 0 lost, 0 timed out, "
                                           "0 without a byte")
        with Peer(server.address) as peer:          # two echoes, and lost
            peer.associate()
            peer.send(echo_rq(1)).pdu()
            peer.send(echo_rq(2)).pdu()
        for _ in range(2):
            good_echo(server.address)
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate(version=0), reject(1, 2, 2))
        for data in (associate_rq([context(1, CT_IMAGE)]), associate_rq() + pdu(0x77, b""), b"GET / HTTP/1.0\r\n"):
            with Peer(server.address) as peer:
                peer.send(data).finish()
        with Peer(server.address) as peer:
            peer.associate()
            peer.send(abort(0, 0)).rest()
        for _ in range(2):
            with Peer(server.address) as peer:
                peer.finish()
        with Peer(server.address) as peer:
            self.assertEqual(peer.rest(), b"")      # timed out
        wait_until(lambda: not server.admission.all() and "4 echoes" in server.summary(), "all are over")
        self.assertRegex(server.summary(), r"^11 connections, at most \d+ at once; 4 echoes; 2 released, "
                                           "1 rejected, 3 aborted here, 1 aborted by the peer, 1 lost, 1 timed out, "
                                           "2 without a byte$")
        self.assertTrue(log.records)

    def test_an_association_that_times_out_counts_as_timed_out_though_it_is_aborted(self):
        recorder = Recorder()
        server = serve(self, dimse_timeout=0.1, on_event=recorder)
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.read(10), abort(0, 0))
        recorder.saw("connected", "received", "accepted", "aborting", "closed")
        self.assertIn("0 aborted here, 0 aborted by the peer, 0 lost, 1 timed out", server.summary())

    def test_the_echoes_of_open_associations_count(self):
        server = serve(self)
        with Peer(server.address) as peer:
            peer.associate()
            for _ in range(3):
                self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertIn("; 3 echoes; ", server.summary())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
            self.assertIn("; 3 echoes; ", server.summary())
        good_echo(server.address)
        wait_until(lambda: not server.admission.all(), "it is over")
        self.assertIn("; 4 echoes; ", server.summary())
        server.sums.add("faults")
        self.assertIn("; 4 echoes; ", server.summary())

    def test_the_slowest_answer_is_measured_at_debug_alone(self):
        server = serve(self)
        good_echo(server.address)
        self.assertEqual(server.sums.slowest, 0.0)
        LogCapture(self, logging.DEBUG)
        server = serve(self)

        class Slow(object):
            active, association = -1.0, None
        good_echo(server.address)
        self.assertTrue(0.0 <= server.sums.slowest < 20)
        now = self.dul.monotonic()
        Slow.active = now - 100.0
        server.sums.told(Slow, self.dul.SENDING, b"\x05\0")
        self.assertLess(server.sums.slowest, 20)
        server.sums.told(Slow, self.dul.SENDING, b"\x04\0")
        self.assertTrue(99.9 <= server.sums.slowest < 120)
        Slow.active = now
        server.sums.told(Slow, self.dul.SENDING, b"\x04\0")
        self.assertGreaterEqual(server.sums.slowest, 99.9)      # the slowest stays
        wait_until(lambda: "1 echo" in server.summary(), "it is over")
        self.assertRegex(server.summary(), r"1 echo, the slowest 1\d{5}\.\d ms; ")
        server.sums.slowest = 123.4567
        self.assertIn("the slowest 123456.7 ms; ", server.summary())


both_forms(Notices)
at_length(SumsOfAll)

if __name__ == "__main__":
    unittest.main()
