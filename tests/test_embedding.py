"""EchoServer in somebody else's program."""
import socket
import threading
import unittest

from support import both_forms, serve, wait_until
from wire import (
    RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp, pdu, reject)


class Embedding(object):
    """The class, its callback, its end."""

    def server(self, **arguments):
        self.notices = []
        arguments.setdefault("on_event", self.notices.append)
        return serve(self, **arguments)

    def kinds(self, *due):
        wait_until(lambda: [n.kind for n in self.notices] == list(due), "%s in %s" % (due, self.notices))
        return self.notices

    def test_a_context_manager_is_all_that_is_needed(self):
        with self.dul.EchoServer(port=0) as server:
            host, port = server.address
            self.assertEqual(host, "127.0.0.1")
            with Peer((host, port)) as peer:
                peer.associate()
                self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
        self.assertRaises(socket.error, Peer, (host, port))

    def test_a_good_echo_is_told_step_by_step(self):
        server = self.server()
        with Peer(server.address) as peer:
            peer.associate(calling=b"MODALITY", called=b"ARCHIVE")
            peer.send(echo_rq(5)).pdu()
            peer.send(RELEASE_RQ).pdu()
            address = "127.0.0.1:%d" % peer.sock.getsockname()[1]
        notices = self.kinds("connected", "received", "accepted", "echoed", "released", "closed")
        self.assertEqual({n.peer for n in notices}, {address})
        self.assertEqual({n.association for n in notices}, {1})
        self.assertEqual((notices[3].message_id, notices[3].calling, notices[3].called), (5, "MODALITY", "ARCHIVE"))
        self.assertEqual([n.sentence for n in notices if n.sentence], [])
        self.assertIn("echoed, association=1", repr(notices[3]))

    def test_what_goes_wrong_is_told_in_the_sentence_of_the_log(self):
        server = self.server()
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate(version=0), reject(1, 2, 2))
        self.assertIn("protocol-version-not-supported", self.kinds("connected", "received", "rejected", "closed")[2].sentence)
        del self.notices[:]
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(pdu(0x77, b"")).pdu(), abort(2, 1))
        notice = self.kinds("connected", "received", "accepted", "aborting", "closed")[3]
        self.assertEqual(notice.sentence, str(notice.error))
        self.assertIsInstance(notice.error, self.dul.InvalidPDU)
        del self.notices[:]
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(abort(0, 0)).rest(), b"")
        self.assertEqual(self.kinds("connected", "received", "accepted", "aborted", "closed")[3].sentence,
                         "A-ABORT from the peer: source 0: DICOM UL service-user")
        del self.notices[:]
        with Peer(server.address) as peer:
            peer.associate()
            peer.reset()
        self.assertIn("onnection", self.kinds("connected", "received", "accepted", "lost", "closed")[3].sentence)

    def test_a_callback_that_raises_ends_nothing(self):
        def fail(notice):
            raise RuntimeError("somebody else's mistake")
        server = self.server(on_event=fail)
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)

    def test_a_callback_can_abort(self):
        for kind, messages in (("accepted", 0), ("echoed", 1)):
            server = self.server(on_event=lambda n: n.handle.abort() if n.kind == kind else None)
            with Peer(server.address) as peer:
                self.assertEqual(peer.associate()[:1], b"\x02")
                if messages:
                    self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
                self.assertEqual(peer.finish(), abort(0, 0))

    def test_a_callback_can_release(self):
        server = self.server(on_event=lambda n: n.handle.release() if n.kind == "echoed" else None)
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).read(100), echo_rsp() + RELEASE_RQ)
            self.assertEqual(peer.send(RELEASE_RP).rest(), b"")

    def test_it_can_be_stopped_at_any_moment(self):
        for moment in ("start_threads", "sleep"):
            server = self.dul.EchoServer(port=0)
            real = getattr(server, moment)
            setattr(server, moment, lambda *rest: (server.request_stop(), real(*rest)))
            server.serve_forever()
            server.server_close()
            self.assertEqual(server.threads, 0)

    def test_two_servers_are_two(self):
        one, two = self.server(ae_title="ONE"), serve(self, ae_title="TWO", maximum_length=1024)
        self.assertNotEqual(one.address, two.address)
        for server, maximum in ((one, b"\0\0\x40\0"), (two, b"\0\0\4\0")):
            with Peer(server.address) as peer:
                self.assertIn(b"\x51\0\0\4" + maximum, peer.associate())

    def test_above_the_limit_a_peer_is_rejected_and_below_it_again_accepted(self):
        server = self.server(max_associations=2)
        with Peer(server.address) as one, Peer(server.address) as two:
            self.assertEqual(one.associate()[:1] + two.associate()[:1], b"\x02\x02")
            with Peer(server.address) as three:
                self.assertEqual(three.associate(), reject(2, 3, 2))
                self.assertEqual(three.finish(), b"")
            two.send(RELEASE_RQ).pdu()
        wait_until(lambda: not server.established, "they are over")
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate()[:1], b"\x02")

    def test_stop_aborts_what_is_open_and_leaves_nothing(self):
        before = threading.active_count()
        server = self.server()
        peers = [Peer(server.address) for _ in range(5)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.associate()
        server.stop()
        self.assertEqual([peer.rest() for peer in peers], [abort(0, 0)] * 5)
        wait_until(lambda: threading.active_count() <= before, "its threads are gone")
        self.assertEqual((server.associations, server.threads, server.established), (set(), 0, 0))
        server.stop()
        self.assertRaises(socket.error, Peer, server.address)

    def test_it_serves_in_the_callers_thread_too(self):
        server = self.dul.EchoServer(port=0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Peer(server.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
        server.shutdown()
        server.server_close()
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_a_listener_of_the_callers_own_is_used(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        server = self.server(listener=listener)
        self.assertEqual(server.address, listener.getsockname())
        with Peer(server.address) as peer:
            self.assertEqual(peer.send(associate_rq()).pdu()[:1], b"\x02")

    def test_settings_out_of_range_are_refused(self):
        for setting in ({"ae_title": ""}, {"ae_title": "X" * 17}, {"maximum_length": 127}, {"maximum_length": 2 ** 32},
                        {"timeout": -1}, {"acse_timeout": 2 ** 32}, {"dimse_timeout": -5}):
            self.assertRaises(ValueError, self.dul.EchoServer, port=0, **setting)
        self.assertRaises(TypeError, self.dul.EchoServer, port=0, no_such_setting=1)

    def test_a_port_in_use_is_a_socket_error(self):
        server = self.server()
        self.assertRaises(socket.error, self.dul.EchoServer, port=server.address[1])

    def test_the_sums_are_kept(self):
        server = self.server()
        for _ in range(3):
            with Peer(server.address) as peer:
                peer.associate()
                peer.send(echo_rq()).pdu()
                peer.send(RELEASE_RQ).pdu()
        wait_until(lambda: server.report.sums.get("released") == 3, "they are over")
        self.assertIn("3 connections, at most ", server.report.summary())
        self.assertIn("3 echoes", server.report.summary())
        self.assertIn("3 released, 0 rejected", server.report.summary())


both_forms(Embedding)

if __name__ == "__main__":
    unittest.main()
