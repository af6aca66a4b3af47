"""How many at once, and who has to go when it is too many."""
import logging
import threading
import unittest

from support import LogCapture, Recorder, both_forms, good_echo, replace_name, serve, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp, pdu, reject


class Stub(object):
    """What Admission asks of a connection: its state, what has arrived, when it was active."""

    def __init__(self, state="silent", active=0.0):
        self.associated, self.closing = state == "associated", state == "closing"
        self.arrived = "3 of the 6 bytes" if state == "arriving" else ""
        self.association = self.machine = self.reader = self.transport = self
        self.admitted = state == "associated"
        self.active = active
        self.evicted = self.interrupted = False

    def progress(self):
        """As PDUReader's."""
        return self.arrived

    def interrupt(self):
        """As Transport's."""
        self.interrupted = True


class Counting(object):
    """Admission alone."""

    def test_connections_are_numbered_and_their_peak_is_kept(self):
        admission = self.dul.Admission(10)
        one, two, three = Stub(), Stub(), Stub()
        admission.enter(one)
        admission.enter(two)
        admission.depart(one)
        admission.enter(three)
        self.assertEqual((one.number, two.number, three.number), (1, 2, 3))
        self.assertEqual((set(admission.all()), admission.number, admission.peak), (set([two, three]), 3, 2))
        admission.depart(one)       # a second time
        self.assertEqual(len(admission.all()), 2)

    def test_a_connection_has_its_number_before_another_thread_sees_it(self):
        numbers = []

        class Connections(set):
            """The set of them, which another thread may look at from now on."""

            def add(self, connection):
                """Add one."""
                numbers.append(connection.number)
                set.add(self, connection)
        admission = self.dul.Admission(10)
        admission.connections = Connections()
        admission.enter(Stub())
        self.assertEqual(numbers, [1])

    def test_so_many_associations_are_admitted_and_no_more_until_one_leaves(self):
        admission = self.dul.Admission(2)
        self.assertEqual([admission.admit() for _ in range(4)], [True, True, False, False])
        admission.leave()
        self.assertEqual([admission.admit() for _ in range(2)], [True, False])
        self.assertEqual(admission.established, 2)

    def test_a_wait_ends_when_a_connection_does(self):
        admission = self.dul.Admission(9)
        stub = Stub()
        admission.enter(stub)
        over = threading.Event()

        def depart():
            while not over.wait(0.01):      # again and again: it may come before the wait
                admission.depart(stub)
        thread = threading.Thread(target=depart)
        start = self.dul.monotonic()
        thread.start()
        admission.wait(60)
        over.set()
        thread.join()
        self.assertEqual(admission.all(), [])       # and not before
        self.assertLess(self.dul.monotonic() - start, 20)
        admission.wait(0.01)        # and by itself

    def test_the_sentence_of_a_full_server_tells_how_many_and_how_idle(self):
        replace_name(self, "admission", "monotonic", lambda: 10000.0)
        for stubs, due in (
                ([], "0 associations are open, the oldest idle for 0 s: -td ends idle ones"),
                ([Stub("associated", 9955.5)], "1 association is open, the oldest idle for 44 s: -td ends idle ones"),
                ([Stub("associated", 9000.0), Stub("associated", 9990.0), Stub("silent", 5.0)],
                 "2 associations are open, the oldest idle for 16 min: -td ends idle ones")):
            admission = self.dul.Admission(9)
            for stub in stubs:
                admission.enter(stub)
                if stub.admitted:
                    admission.admit()
            self.assertEqual(admission.congestion(), due)

    def test_durations_have_the_largest_unit_that_fits(self):
        for seconds, due in ((0.0, "0 s"), (59.9, "59 s"), (60.0, "1 min"), (3599.0, "59 min"), (3600.0, "1 h"),
                             (90000.0, "25 h")):
            self.assertEqual(self.dul.duration(seconds), due)


class Eviction(object):
    """Who has to go: over, then silent, then in the middle of a request; the oldest first; never an association."""

    def test_the_order_over_every_state(self):
        admission = self.dul.Admission(9)
        stubs = [Stub("arriving"), Stub("associated"), Stub("silent"), Stub("closing"), Stub("arriving"),
                 Stub("closing"), Stub("silent"), Stub("associated"), Stub("silent")]
        for stub in stubs:
            admission.enter(stub)
        order = []
        while admission.evict(True):
            order += [stub.number for stub in stubs if stub.interrupted and stub.number not in order]
        self.assertEqual(order, [4, 6, 3, 7, 9, 1, 5])
        self.assertEqual([stub.number for stub in stubs if stub.evicted != stub.interrupted], [])
        self.assertFalse(admission.evict(True))

    def test_a_new_connection_has_time_to_begin(self):
        replace_name(self, "admission", "monotonic", lambda: 10000.0)
        admission = self.dul.Admission(9)
        stubs = [Stub("arriving", 9000.0), Stub("silent", 9999.51), Stub("silent", 9999.49), Stub("closing", 9999.9)]
        for stub in stubs:
            admission.enter(stub)
        order = []
        while admission.evict(True):
            order += [stub.number for stub in stubs if stub.interrupted and stub.number not in order]
        self.assertEqual(order, [4, 3, 1, 2])

    def test_where_it_is_not_urgent_a_new_connection_stays(self):
        replace_name(self, "admission", "monotonic", lambda: 10000.0)
        admission = self.dul.Admission(9)
        stubs = [Stub("silent", 9999.51), Stub("arriving", 9999.49), Stub("associated"), Stub("closing", 9999.9)]
        for stub in stubs:
            admission.enter(stub)
        self.assertEqual((admission.evict(False), admission.evict(False)), (True, False))
        self.assertEqual([stub.interrupted for stub in stubs], [False, True, False, False])


class OverSockets(object):
    """The same, with peers."""

    def setUp(self):
        self.log = LogCapture(self, logging.WARNING)
        self.recorder = Recorder()

    def serve(self, most, spare=2, **arguments):
        """A server for so many associations, and ``spare`` connections more."""
        replace_name(self, "pool", "IDLE_THREADS", spare)
        return serve(self, max_associations=most, acse_timeout=0, on_event=self.recorder, **arguments)

    def connect(self, address):
        peer = Peer(address)
        self.addCleanup(peer.close)
        return peer

    def test_an_association_counts_until_its_end_though_its_connection_stays_open(self):
        server = self.serve(1, 20)
        for end, due in ((RELEASE_RQ, RELEASE_RP), (abort(0, 0), b""), (pdu(0x77, b""), abort(2, 1)),
                         (pdu(4, b""), abort(2, 6))):
            peer = self.connect(server.address)
            self.assertEqual(peer.associate()[:1], b"\x02")
            with Peer(server.address) as other:
                self.assertEqual(other.associate(), reject(2, 3, 2))
            self.assertEqual(peer.send(end).read(len(due)), due)
            wait_until(lambda: not server.admission.established, "it counts no more")
            self.assertTrue(end[:1] == b"\x07" or len(server.admission.all()) >= 1)
        good_echo(server.address)

    def test_a_rejected_request_and_a_lost_connection_take_no_place(self):
        server = self.serve(1, 20)
        for _ in range(3):
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate(version=0), reject(1, 2, 2))
                self.assertEqual(server.admission.established, 0)
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate(application=b"1.2.3"), reject(1, 1, 2))
            with Peer(server.address) as peer:
                peer.associate()
            wait_until(lambda: not server.admission.established, "it counts no more")
        good_echo(server.address)

    def test_above_the_limit_a_peer_is_rejected_and_below_it_again_accepted(self):
        server = self.serve(2)
        with Peer(server.address) as one, Peer(server.address) as two:
            self.assertEqual(one.associate()[:1] + two.associate()[:1], b"\x02\x02")
            with Peer(server.address) as three:
                self.assertEqual(three.associate(), reject(2, 3, 2))
                self.assertEqual(three.finish(), b"")
            two.send(RELEASE_RQ).pdu()
            with Peer(server.address) as three:
                self.assertEqual(three.associate()[:1], b"\x02")
            self.assertEqual(one.send(echo_rq()).pdu(), echo_rsp())

    def test_a_full_server_tells_once_a_minute_how_idle_its_associations_are(self):
        replace_name(self, "admission", "monotonic", lambda: 1000.0)
        replace_name(self, "connection", "monotonic", lambda: 1000.0)
        server = self.serve(1, 20)
        with Peer(server.address) as one:
            one.associate()
            for _ in range(3):
                with Peer(server.address) as two:
                    self.assertEqual(two.associate(), reject(2, 3, 2))
            words = "1 association is open, the oldest idle for 0 s: -td ends idle ones"
            self.assertEqual(self.log.saw("is open"), ["W: " + words])
            server.log.limit.last["associations"] -= 60      # a minute later
            with Peer(server.address) as two:
                self.assertEqual(two.associate(), reject(2, 3, 2))
            self.assertEqual(self.log.saw("is open", 2), ["W: " + words] * 2)
            self.assertEqual(len(self.log.saw("too many associations at once", 4)), 4)

    def test_peers_without_an_association_cannot_keep_others_out_and_are_told_who_closed(self):
        server = self.serve(1, 8)
        held = self.connect(server.address)
        held.associate()
        arriving = self.connect(server.address).send(associate_rq()[:22])
        wait_until(lambda: [each for each in server.admission.all() if each.reader.progress()], "it has arrived")
        silent = [self.connect(server.address) for _ in range(6)]       # more than can have to go for the next three
        wait_until(lambda: len(server.admission.all()) == 8, "all are accepted")
        for each in server.admission.all():
            each.active -= 60.0         # a minute later
        for _ in range(3):
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate(), reject(2, 3, 2))
        more = [self.connect(server.address) for _ in range(6)]
        self.assertEqual(silent[0].rest(), b"")
        self.assertEqual(held.send(echo_rq()).pdu(), echo_rsp())
        sentence = "closed here to make room for other peers in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)"
        wait_until(lambda: sentence in [notice.sentence for notice in self.recorder.notices if notice.kind == "lost"],
                   "it is told")
        self.assertEqual(self.log.saw("too many connections"), [
            "W: too many connections without an association: the oldest are closed"])
        self.log.saw("closed here to make room for other peers")
        self.assertLessEqual(server.pool.threads, server.pool.most)
        for peer in silent + more + [arriving]:
            peer.close()
        held.send(RELEASE_RQ).pdu()
        good_echo(server.address)

    def test_many_silent_peers_do_not_end_an_echo(self):
        server = self.serve(2, 8)
        peers = [self.connect(server.address) for _ in range(30)]
        for _ in range(3):
            good_echo(server.address)
        self.assertLess(server.pool.threads, 20)       # a few are started that were not needed
        self.assertEqual(len(peers), 30)


for each in (Counting, Eviction, OverSockets):
    both_forms(each)

if __name__ == "__main__":
    unittest.main()
