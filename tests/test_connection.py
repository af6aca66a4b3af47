"""One connection in its handler thread: effects carried out, facts passed on, and what embedding programs may do there."""
import logging
import re
import socket
import sys
import unittest

from support import (
    LogCapture, Recorder, at_length, both_forms, good_echo, listening_socket, monotonic, replace, serve, skip_in_wine,
    wait_until)
from wire import (
    CT_IMAGE, RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, context, echo_command, echo_rq, echo_rsp, p_data, pdu, pdv,
    reject)

NOISE = b"\x04\0\0\0\x40\0" + b"x" * 16384      # what a peer that stores images goes on sending


class Facts(object):
    """What listeners are told."""

    def serve(self, **arguments):
        """A server with a listener of the test's own; its facts are in ``self.facts``."""
        self.facts = []
        server = self.dul.EchoServer(port=0, **arguments)
        self.addCleanup(server.stop)
        server.listeners.append(lambda *fact: self.facts.append(fact))
        return server.start()

    def kinds(self):
        wait_until(lambda: self.facts and self.facts[-1][1] == "closed", "it is over")
        return [kind for _, kind, _ in self.facts]

    def test_a_good_echo_is_told_step_by_step_and_the_echo_only_to_who_makes_something_of_it(self):
        rest = ["connected", "received", "accepted", "released", "closed"]
        good_echo(self.serve().address)
        self.assertEqual(self.kinds(), rest)
        good_echo(self.serve(on_event=Recorder()).address)
        self.assertEqual(self.kinds(), rest[:3] + ["echoed"] + rest[3:])
        LogCapture(self, logging.INFO)
        good_echo(self.serve().address)
        self.assertEqual(self.kinds(), rest[:3] + ["echoed"] + rest[3:])

    def test_a_fact_is_a_connection_a_kind_and_a_value(self):
        server = self.serve(on_event=Recorder())
        good_echo(server.address, 7)
        self.kinds()
        connections = [connection for connection, _, _ in self.facts]
        self.assertEqual(len(set(connections)), 1)
        self.assertIsInstance(connections[0], self.dul.Connection)
        values = dict((kind, value) for _, kind, value in self.facts)
        self.assertEqual([values[kind] for kind in ("connected", "released", "closed")], [None] * 3)
        self.assertIsInstance(values["received"], self.dul.Decision)
        self.assertIs(values["accepted"], values["received"])
        self.assertEqual(values["echoed"].message_id, 7)

    def test_at_debug_steps_and_pdus_are_facts_too_in_the_order_in_which_they_come(self):
        LogCapture(self, logging.DEBUG)
        good_echo(self.serve().address)
        self.assertEqual(self.kinds(), [
            "connected", "moved", "receiving", "received", "moved", "moved", "accepted", "sending",
            "receiving", "moved", "echoed", "moved", "sending", "receiving", "moved", "moved", "released", "sending",
            "moved", "closed"])
        self.assertEqual([value for _, kind, value in self.facts if kind == "receiving"],
                         [(1, len(associate_rq()) - 6), (4, len(echo_rq()) - 6), (5, 4)])
        self.assertEqual([value for _, kind, value in self.facts if kind == "sending"][1:], [echo_rsp(), RELEASE_RP])

    def test_the_connection_knows_its_number_its_titles_and_its_peer(self):
        server = self.serve()
        for number in (1, 2):
            del self.facts[:]
            with Peer(server.address) as peer:
                wait_until(lambda: self.facts, "it is connected")
                connection = self.facts[0][0]
                self.assertEqual((connection.number, connection.titles), (number, ("", "")))
                peer.associate(calling=b"MODALITY", called=b"ARCHIVE")
                self.assertEqual(connection.titles, ("MODALITY", "ARCHIVE"))
                self.assertEqual(connection.peer, "127.0.0.1:%d" % peer.sock.getsockname()[1])
            self.kinds()

    def test_a_pdu_makes_a_connection_active(self):
        server = self.serve()
        with Peer(server.address) as peer:
            wait_until(lambda: self.facts, "it is connected")
            before = self.facts[0][0].active
            self.assertTrue(abs(monotonic() - before) < 5)
            self.facts[0][0].active = 0.0
            peer.associate()
            self.assertGreaterEqual(self.facts[0][0].active, before)


class Peers(object):
    """Whom a connection is with."""

    def test_a_peer_is_named_by_address_and_port_in_the_form_of_its_family(self):
        table = [(("192.0.2.1", 4711), "192.0.2.1:4711"), (("::ffff:192.0.2.1", 4711, 0, 0), "192.0.2.1:4711"),
                 (("2001:db8::7", 4711, 0, 0), "[2001:db8::7]:4711"), (("::ffff:1", 1, 0, 0), "[::ffff:1]:1"),
                 (("fe80::1%eth0.5", 2, 0, 2), "[fe80::1%eth0.5]:2"), ("", "?:0"), (b"", "?:0")]
        for address, due in table:
            connection = self.dul.Connection.__new__(self.dul.Connection)
            connection.client_address = address
            self.assertEqual(connection.peer, due)

    def test_a_send_may_take_as_long_as_ta_or_30_seconds(self):
        for timeout, due in ((7, 7), (0, 30)):
            recorder = Recorder()
            server = serve(self, acse_timeout=timeout, on_event=recorder)
            with Peer(server.address):
                wait_until(lambda: recorder.notices, "it is connected")
                self.assertEqual(recorder.notices[0].handle.transport.send_limit, due)


class Callbacks(object):
    """on_event."""

    def test_whatever_it_raises_harms_neither_association_nor_thread(self):
        class Own(BaseException):
            """An exception of the embedding program."""
        for error in (RuntimeError("a mistake"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Own()):
            def fail(notice):
                raise error
            log = LogCapture(self, logging.ERROR)
            recorder = Recorder(fail)
            server = serve(self, on_event=recorder)
            for _ in range(3):
                good_echo(server.address)
                recorder.saw("connected", "received", "accepted", "echoed", "released", "closed")
            wait_until(lambda: len(log.records) >= 18, "each is logged")
            self.assertEqual(set(log.lines()), set(["E: on_event raised an exception"]))
            self.assertIs(log.records[0].exc_info[1], error)
            peers = [record.peer for record in log.records]
            self.assertEqual([peers.count(peer) for peer in set(peers)], [6, 6, 6])
            wait_until(lambda: server.pool.idle == server.pool.threads, "its threads wait")
            self.assertEqual((server.admission.established, server.admission.all()), (0, []))

    def abort_in(self, *kinds):
        self.recorder = Recorder(lambda notice: notice.handle.abort() if notice.kind in kinds else None)
        self.log = LogCapture(self, logging.WARNING)
        return Peer(serve(self, on_event=self.recorder).address)

    def release_in(self, *kinds):
        self.recorder = Recorder(lambda notice: notice.handle.release() if notice.kind in kinds else None)
        return Peer(serve(self, on_event=self.recorder).address)

    def test_abort_before_the_answer_leaves_the_request_unanswered(self):
        for kind in ("connected", "received"):
            with self.abort_in(kind) as peer:
                self.assertEqual(peer.send(associate_rq()).finish(), abort(0, 0))
            notices = self.recorder.saw("connected", "received", "aborting", "closed")
            self.assertEqual(notices[2].sentence, "aborted by the program")
            self.assertIsInstance(notices[2].error, self.dul.Stopped)
            self.assertEqual(self.log.lines(), [])

    def test_abort_takes_effect_after_what_has_happened(self):
        with self.abort_in("accepted") as peer:
            self.assertEqual(peer.associate()[:1], b"\x02")
            self.assertEqual(peer.finish(), abort(0, 0))
        self.recorder.saw("connected", "received", "accepted", "aborting", "closed")
        with self.abort_in("echoed") as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq(5)).finish(), echo_rsp(5) + abort(0, 0))
        self.recorder.saw("connected", "received", "accepted", "echoed", "aborting", "closed")

    def test_abort_and_release_after_the_end_do_nothing(self):
        for make in (self.abort_in, self.release_in):
            with make("released", "closed", "rejected", "lost", "aborted") as peer:
                peer.associate()
                self.assertEqual(peer.send(RELEASE_RQ).finish(), RELEASE_RP)
            self.recorder.saw("connected", "received", "accepted", "released", "closed")
            with make("connected", "rejected") as peer:
                self.assertEqual(peer.send(associate_rq(version=0)).finish(), reject(1, 2, 2))
            self.recorder.saw("connected", "received", "rejected", "closed")
            with make("connected", "bare") as peer:
                self.assertEqual(peer.finish(), b"")
            self.recorder.saw("connected", "bare", "closed")

    def test_release_is_asked_for_as_soon_as_there_is_an_association(self):
        for kind in ("connected", "received", "accepted"):
            with self.release_in(kind) as peer:
                self.assertEqual(peer.associate()[:1], b"\x02")
                self.assertEqual(peer.pdu(), RELEASE_RQ)
                self.assertEqual(peer.send(RELEASE_RP).rest(), b"")
            self.recorder.saw("connected", "received", "accepted", "released", "closed")

    def test_release_after_an_echo_follows_its_response(self):
        with self.release_in("echoed") as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq(5)).read(len(echo_rsp()) + 10), echo_rsp(5) + RELEASE_RQ)
            self.assertEqual(peer.send(RELEASE_RP).rest(), b"")
        self.recorder.saw("connected", "received", "accepted", "echoed", "released", "closed")

    def test_a_release_collision_goes_the_acceptors_way(self):
        with self.release_in("accepted") as peer:
            peer.associate()
            self.assertEqual(peer.pdu(), RELEASE_RQ)
            peer.send(echo_rq())            # Sta7: too late for an answer
            peer.send(RELEASE_RQ)           # Sta10: an acceptor waits for the response first
            peer.send(RELEASE_RP)           # Sta12: and answers then
            self.assertEqual(peer.pdu(), RELEASE_RP)
            self.assertEqual(peer.finish(), b"")

    def test_the_last_one_of_release_and_abort_counts(self):
        def both(notice):
            if notice.kind == "accepted":
                notice.handle.release()
                notice.handle.abort()
        recorder = Recorder(both)
        with Peer(serve(self, on_event=recorder).address) as peer:
            peer.associate()
            self.assertEqual(peer.finish(), abort(0, 0))
        recorder.saw("connected", "received", "accepted", "aborting", "closed")


class Ends(object):
    """How a connection ends, and at which level that is told."""

    def setUp(self):
        self.log = LogCapture(self, logging.INFO)
        self.recorder = Recorder()
        self.server = serve(self, on_event=self.recorder)

    def established(self, *echoes):
        peer = Peer(self.server.address)
        self.addCleanup(peer.close)
        peer.associate()
        for message_id in echoes:
            peer.send(echo_rq(message_id)).pdu()
        return peer

    def told(self):
        """(level, sentence) of the line that says why, and the notice."""
        notice = [each for each in self.recorder.ends() if each.sentence][-1]
        record = [each for each in self.log.records if notice.sentence in each.getMessage()][-1]
        self.assertEqual(record.getMessage(), "%s: %s" % (notice.peer, notice.sentence))
        return record.levelname, notice.sentence

    def test_a_client_that_echoes_and_closes_is_no_warning(self):
        self.established(1).close()
        self.assertEqual(self.told(), ("INFO", "connection closed by the peer in Sta6 (association established, ready for "
                                               "data transfer)"))
        skip_in_wine("makes an end of a reset")
        self.established(1, 2).reset()
        level, sentence = self.told()
        self.assertEqual(level, "INFO")
        self.assertRegex(sentence, r"^connection lost: .+ in Sta6 \(")

    def test_an_end_without_an_echo_is_a_warning(self):
        for end in (Peer.close, Peer.reset):
            end(self.established())
            self.assertEqual(self.told()[0], "WARNING")

    def test_an_end_in_the_middle_of_a_pdu_is_a_warning_even_after_an_echo(self):
        for end in (Peer.close, Peer.reset):
            for data, words in ((echo_rq()[:40], ", after 40 of 80 bytes of P-DATA-TF"),
                                (echo_rq()[:2], ", after 2 of the 6 bytes of a PDU header")):
                peer = self.established(1)
                connection = self.recorder.notices[0].handle
                peer.send(data)
                wait_until(lambda: connection.reader.progress(), "it has arrived")
                if len(data) > 6:
                    wait_until(lambda: connection.reader.arrived == len(data), "all of it")
                end(peer)
                level, sentence = self.told()
                self.assertEqual(level, "WARNING")
                self.assertTrue(sentence.endswith(words), sentence)

    def test_a_peer_that_is_still_sending_sees_the_answer_and_no_reset(self):
        for first, rest, answers in ((associate_rq([context(1, CT_IMAGE)]), NOISE, (b"\x02", abort(0, 0))),
                                     (associate_rq(version=0), NOISE, (reject(1, 2, 2),)),
                                     (b"GET / HTTP/1.1\r\n", b"x" * 65536, (abort(0, 0),))):
            with Peer(self.server.address) as peer:
                peer.send(first + rest * 100)       # megabytes later nobody has reset the connection
                for answer in answers:
                    self.assertEqual(peer.pdu()[:len(answer)], answer)
                self.assertEqual(peer.finish(), b"")

    def test_an_abort_after_what_was_no_pdu_is_heard(self):
        for data in (pdu(0x99, b"x" * 30)[:20], pdu(0x99, b"x" * 30) + pdu(0x98, b"y" * 50)[:20]):
            with Peer(self.server.address) as peer:
                peer.associate()
                peer.send(data)
                self.assertEqual(peer.pdu(), abort(2, 1))
                peer.send(abort(0, 0))
                while peer.pdu():
                    pass                            # it closes, though this side does not
            self.recorder.ends()

    def test_peers_that_reset_at_every_step_leave_nothing(self):
        rq = associate_rq()
        for data in (b"", rq[:3], rq[:100], rq, rq + echo_rq()[:40], rq + echo_rq(), rq + echo_rq() + RELEASE_RQ,
                     b"nonsense", associate_rq(version=0)):
            for _ in range(3):
                peer = Peer(self.server.address)
                peer.send(data)
                peer.reset()
        good_echo(self.server.address)
        wait_until(lambda: not self.server.admission.all() and not self.server.admission.established, "all are over")

    def test_each_deadline_is_kept_and_told_with_what_had_arrived(self):
        server = serve(self, on_event=self.recorder, timeout=1, acse_timeout=0, dimse_timeout=1)
        start = monotonic()
        with Peer(server.address) as half, Peer(server.address) as whole:
            half.send(associate_rq()[:22])
            self.assertEqual(whole.associate()[:1], b"\x02")
            self.assertEqual((half.rest(), whole.read(10)), (b"", abort(0, 0)))
            self.assertTrue(0.95 < monotonic() - start < 10)
        notices = self.recorder.ends(2)
        self.assertEqual(sorted(notice.sentence for notice in notices if notice.sentence), [
            "timeout: 22 of 172 bytes of A-ASSOCIATE-RQ in 1 s (-to) in Sta2 (transport connection open, awaiting "
            "A-ASSOCIATE-RQ)", "timeout: nothing in 1 s (-td) in Sta6 (association established, ready for data transfer)"])
        self.assertEqual([notice.kind for notice in notices if notice.sentence].count("expired"), 1)

    def test_another_sop_class_is_told_without_verbose(self):
        log = LogCapture(self, logging.WARNING)
        server = serve(self)
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(p_data(pdv(echo_command(5, CT_IMAGE)))).pdu()[-2:], b"\x22\x01")
            log.saw("C-ECHO-RQ for ")

    def test_the_rest_of_a_pdu_whose_deadline_passed_is_no_pdu(self):
        log = LogCapture(self, logging.DEBUG)
        server = serve(self, on_event=self.recorder, dimse_timeout=0.1)
        with Peer(server.address) as peer:
            peer.associate()
            peer.send(echo_rq()[:20])
            self.assertEqual(peer.read(10), abort(0, 0))
            self.assertEqual(peer.send(echo_rq()[20:] + echo_rq()).finish(), b"")
        self.assertEqual([notice.kind for notice in self.recorder.ends()],
                         ["connected", "received", "accepted", "aborting", "closed"])
        received = [line for line in log.lines() if line.startswith("D: [1 ") and "Received" in line] or [
            line for line in log.lines() if "D: Received" in line]
        self.assertEqual([line.rsplit("Received ", 1)[1] for line in received],
                         ["A-ASSOCIATE-RQ (PDU-length 166)"] + ["P-DATA-TF (PDU-length %d)" % (len(echo_rq()) - 6)] * 2)

    def test_a_peer_that_does_not_read_its_answers_is_given_up(self):
        server = serve(self, on_event=self.recorder, acse_timeout=0.3, listener=listening_socket(self, 4096))
        peer = Peer(server.address, receive_buffer=2048)
        self.addCleanup(peer.close)
        peer.associate()
        peer.sock.settimeout(0.2)
        try:
            while True:
                peer.send(echo_rq() * 200)
        except (socket.timeout, socket.error):
            pass
        self.assertEqual(self.told(), ("WARNING", "the peer has not read what was sent to it for 0.3 s in Sta6 (association "
                                                  "established, ready for data transfer)"))
        wait_until(lambda: not server.admission.all(), "its thread is free")

    def test_a_stop_is_no_warning_and_is_told_in_its_words(self):
        self.log.logger.setLevel(logging.DEBUG)
        with self.established() as one, Peer(self.server.address) as two:
            two.send(associate_rq()[:22])
            wait_until(lambda: [each for each in self.server.admission.all() if each.reader.progress()], "it has arrived")
            self.server.stop()
            self.assertEqual((one.rest(), two.rest()), (abort(0, 0), b""))
        sentences = sorted((notice.kind, notice.sentence) for notice in self.recorder.ends(2) if notice.sentence)
        self.assertEqual(sentences, [
            ("aborting", "this server stops"),
            ("lost", "closed: this server stops in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ), "
                     "after 22 of 172 bytes of A-ASSOCIATE-RQ")])
        self.assertEqual(self.log.lines(logging.WARNING), [])
        self.log.saw("closed: this server stops in Sta2")

    def test_an_association_that_sends_all_the_time_is_aborted_by_a_stop(self):
        with self.established() as peer:
            self.recorder.also = lambda notice: setattr(self.server, "stopping", True)      # at the first of three
            self.assertEqual(peer.send(echo_rq() * 3).finish(), echo_rsp() + abort(0, 0))
        self.assertEqual(self.recorder.ends()[-2].sentence, "this server stops")

    def test_a_stop_that_is_seen_between_two_pdus_does_not_wait_for_the_next(self):
        with self.established() as peer:
            self.recorder.also = lambda notice: setattr(self.server, "stopping", True)
            self.assertEqual(peer.send(echo_rq()).read(len(echo_rsp()) + 10), echo_rsp() + abort(0, 0))
        self.recorder.ends()

    def test_a_peer_that_is_gone_when_its_deadline_passes_is_no_fault(self):
        server = serve(self, on_event=self.recorder, dimse_timeout=0.1)
        real = replace(self, self.dul.Transport, "send", lambda transport, data: self.dul.ConnectionLost(
            "connection lost: gone") if data == abort(0, 0) else real(transport, data))
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate()[:1], b"\x02")
            self.assertEqual(peer.rest(), b"")
        self.assertEqual([notice.kind for notice in self.recorder.ends()],
                         ["connected", "received", "accepted", "aborting", "closed"])
        self.assertEqual(self.log.lines(logging.ERROR), [])

    def test_an_answer_that_does_not_reach_the_peer_is_no_ordinary_end(self):
        real = replace(self, self.dul.Transport, "send", lambda transport, data: gone if data[:1] == b"\x04" else real(
            transport, data))
        gone = self.dul.ConnectionLost("connection lost: Connection reset by peer")
        gone.closed = True
        with self.established() as peer:
            self.assertEqual(peer.send(echo_rq()).rest(), b"")
        self.recorder.ends()
        self.assertEqual(len(self.log.saw("Connection reset by peer")), 1)
        self.assertEqual([line[:2] for line in self.log.lines() if "Connection reset" in line], ["W:"])

    def test_a_request_is_let_go_when_it_is_answered(self):
        request = associate_rq([context(number, CT_IMAGE) for number in range(1, 255, 2)] + [context(255)])
        with Peer(self.server.address) as peer:
            self.assertEqual(peer.send(request).pdu()[:1], b"\x02")
            wait_until(lambda: [each for each in self.server.admission.all() if each.association.associated], "it is")
            for frame in list(sys._current_frames().values()):
                while frame is not None:
                    if frame.f_code.co_name == "receive" and "association" in frame.f_locals:
                        self.assertEqual([name for name, value in frame.f_locals.items() if value == request], [])
                    frame = frame.f_back
        self.recorder.ends()

    def test_the_socket_is_closed_when_the_end_is_told(self):
        with self.established() as peer:
            ends = []
            self.recorder.also = lambda notice: notice.kind == "closed" and ends.append(peer.rest())
            peer.send(RELEASE_RQ).sock.shutdown(socket.SHUT_WR)
            wait_until(lambda: ends, "the peer found the end while it was told")
            self.assertEqual(ends, [RELEASE_RP])
            self.recorder.ends()


class Faults(object):
    """A fault of this program ends one association and no thread."""

    def fault(self, level, error, words):
        log = LogCapture(self, level)
        server = serve(self)
        good_echo(server.address)
        real, server.admission.admit = server.admission.admit, lambda: raise_(error)
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate(), b"")
        server.admission.admit = real
        good_echo(server.address)
        lines = [re.sub(r"127\.0\.0\.1:\d+", "PEER", line) for line in log.saw("internal error")]
        self.assertEqual(lines, ["E: " + words])
        wait_until(lambda: not server.admission.all(), "nothing is left")
        wait_until(lambda: server.pool.idle == server.pool.threads, "its threads wait")
        self.assertEqual(server.sums.counts["faults"], 1)
        return [record for record in log.records if "internal error" in record.getMessage()][0]

    def test_any_exception(self):
        error = KeyError("no memory")
        words = "internal error in the connection from PEER: %r; please report it" % (error,)
        self.assertIsNone(self.fault(logging.INFO, error, words).exc_info)
        self.assertIs(self.fault(logging.DEBUG, error, words).exc_info[1], error)

    def failing(self, error, count):
        """A server at which so many associations ended by this error of the program."""
        server = serve(self)
        server.admission.admit = lambda: raise_(error)
        for _ in range(count):
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate(), b"")
        wait_until(lambda: not server.admission.all(), "nothing is left")
        wait_until(lambda: server.pool.idle == server.pool.threads, "all is told")
        self.assertEqual(server.sums.counts["faults"], count)
        return server

    def test_a_lack_of_memory_is_told_once_a_minute_and_not_as_a_fault(self):
        log = LogCapture(self, logging.DEBUG)
        self.failing(MemoryError(), 3)
        self.assertEqual([line for line in log.lines() if line[:2] in ("W:", "E:")],
                         ["W: out of memory: a connection is closed"])

    def test_faults_are_limited_as_warnings_are(self):
        log = LogCapture(self, logging.INFO)
        server = self.failing(KeyError(), 12)
        self.assertEqual(server.log.limit.held, 2)
        self.assertEqual(len([line for line in log.lines() if "internal error" in line]), 10)

    def test_a_blank_cell_of_the_table(self):
        error = self.dul.Undefined(self.dul.Sta6, self.dul.Evt1)
        words = "internal error, the connection is closed: %r; please report it" % (error,)
        record = self.fault(logging.INFO, error, words)
        self.assertTrue(record.peer.startswith("127.0.0.1:"))

    def test_a_fault_that_cannot_even_be_told(self):
        server = serve(self)
        server.admission.admit = lambda: raise_(KeyError(1))
        server.fault = lambda *_: raise_(MemoryError())
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate(), b"")
        del server.admission.admit
        good_echo(server.address)

    def test_a_descriptor_that_is_no_connection_any_more(self):
        server = serve(self)
        real = replace(self, self.dul.Transport, "receive", lambda transport, most: raise_(
            self.dul.ConnectionLost("connection lost: gone")))
        with Peer(server.address) as peer:
            self.assertEqual(peer.finish(), b"")
        self.dul.Transport.receive = real
        good_echo(server.address)


def raise_(error):
    """Raise, in an expression."""
    raise error


for each in (Facts, Peers, Callbacks, Faults):
    both_forms(each)
at_length(Ends)

if __name__ == "__main__":
    unittest.main()
