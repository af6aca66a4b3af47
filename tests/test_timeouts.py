"""-to, -ta and -td on real sockets: absolute deadlines that no peer can extend, each leaving the other phases alone."""
import socket
import threading
import unittest

from support import both_forms, monotonic, serve, wait_until
from wire import RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp, pdu, reject

EARLY, LATE = 0.1, 0.3      # seconds; the clock of Python 2.7 has steps of 10 ms
NEVER = 1.3                 # seconds after which an end that is not due has not come


class Timeouts(object):
    """All cases of a test run at the same time, each in a thread with a server of its own."""

    def run_all(self, cases):
        """Run functions that raise AssertionError, at once."""
        failures = []

        def guarded(case):
            try:
                case()
            except Exception as error:
                failures.append("%s: %r" % (case.__name__, error))

        threads = [threading.Thread(target=guarded, args=(case,)) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def ends(self, settings, conversation, due, answer, words, drip=b""):
        """A case: after ``conversation(peer)``, the server ends it ``due`` seconds later with ``answer``."""
        def case():
            notices = []
            server = serve(self, on_event=notices.append, **settings)
            with Peer(server.address) as peer:
                start = monotonic()
                start = conversation(peer) or start
                stop = threading.Event()

                def feed():
                    for byte in bytearray(drip):
                        if stop.wait(0.1):
                            return
                        try:
                            peer.send(bytes(bytearray([byte])))
                        except socket.error:
                            return
                feeder = threading.Thread(target=feed)
                feeder.start()
                try:
                    got = peer.read(len(answer)) if answer else peer.sock.recv(100)
                except socket.error:    # closed with unread bytes of ours: a reset, which Sta2 and Sta13 allow
                    got = b""
                took = monotonic() - start
                stop.set()
                feeder.join()
            self.assertEqual(got, answer)
            self.assertTrue(due - EARLY <= took <= due + LATE, "%.2f s instead of %s" % (took, due))
            if words:
                sentence = wait_until(lambda: [n.sentence for n in notices if n.sentence], "a sentence")[0]
                self.assertIn(words, sentence)
        case.__name__ = "%s %s" % (settings, conversation.__name__)
        return case

    def lasts(self, settings, conversation):
        """A case: after ``conversation(peer)``, nothing ends for longer than any deadline."""
        def case():
            server = serve(self, **settings)
            with Peer(server.address) as peer:
                conversation(peer)
                peer.sock.settimeout(NEVER)
                self.assertRaises(socket.timeout, peer.sock.recv, 1)
        case.__name__ = "%s %s lasts" % (settings, conversation.__name__)
        return case

    @staticmethod
    def silent(peer):
        """Connected, nothing more."""

    @staticmethod
    def half(peer):
        """22 bytes of a request."""
        peer.send(associate_rq()[:22])

    @staticmethod
    def established(peer):
        """An association; the clock of -td starts with it."""
        peer.associate()
        return monotonic()

    @staticmethod
    def echoed(peer):
        """An association with an echo, after half a second; the clock of -td starts anew with it."""
        peer.associate()
        threading.Event().wait(0.5)
        if peer.send(echo_rq()).pdu() != echo_rsp():
            raise AssertionError("no echo")
        return monotonic()

    @staticmethod
    def released(peer):
        """Released, but not closed."""
        peer.associate()
        peer.send(RELEASE_RQ).pdu()
        return monotonic()

    @staticmethod
    def rejected(peer):
        """Rejected, but not closed."""
        if peer.associate(version=0) != reject(1, 2, 2):
            raise AssertionError("not rejected")
        return monotonic()

    @staticmethod
    def aborted(peer):
        """Aborted, but not closed."""
        peer.associate()
        if peer.send(pdu(0x99, b"")).pdu() != abort(2, 1):
            raise AssertionError("not aborted")
        return monotonic()

    def test_each_deadline_ends_its_phase_on_time_whatever_drips_and_no_other(self):
        echo = echo_rq()
        request = associate_rq()
        sta2 = "(%s) in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)"
        td = {"acse_timeout": 0, "dimse_timeout": 1}
        self.run_all([
            self.ends({"timeout": 1}, self.silent, 1, b"", "timeout: nothing in 1 s " + sta2 % "-to"),
            self.ends({"timeout": 1, "acse_timeout": 0}, self.half, 1, b"", "22 of 172 bytes of A-ASSOCIATE-RQ in 1 s (-to)"),
            self.ends({"timeout": 1}, self.silent, 1, b"", " bytes of A-ASSOCIATE-RQ in 1 s (-to)", drip=request),
            self.ends({"acse_timeout": 1}, self.silent, 1, b"", "timeout: nothing in 1 s " + sta2 % "-ta"),
            self.ends({"acse_timeout": 1}, self.half, 1, b"", "22 of 172 bytes of A-ASSOCIATE-RQ in 1 s (-ta)"),
            self.ends({"acse_timeout": 1}, self.silent, 1, b"", " bytes of A-ASSOCIATE-RQ in 1 s (-ta)", drip=request),
            self.ends({"timeout": 1, "acse_timeout": 2}, self.silent, 1, b"", "(-to)"),
            self.ends({"timeout": 2, "acse_timeout": 1}, self.silent, 1, b"", "(-ta)"),
            self.ends(td, self.established, 1, abort(0, 0), "timeout: nothing in 1 s (-td) in Sta6"),
            self.ends(td, self.established, 1, abort(0, 0), " bytes of P-DATA-TF in 1 s (-td) in Sta6", drip=echo),
            self.ends(td, self.echoed, 1, abort(0, 0), "timeout: nothing in 1 s (-td) in Sta6"),
            self.ends({"acse_timeout": 1}, self.released, 1, b"", None),
            self.ends({"acse_timeout": 1}, self.rejected, 1, b"", "protocol-version-not-supported"),
            self.ends({"acse_timeout": 1}, self.aborted, 1, b"", "PDU-type"),
            self.ends({"acse_timeout": 1}, self.released, 1, b"", None, drip=echo),
            # 0 means none, and each leaves the other phases alone
            self.lasts({"timeout": 0, "acse_timeout": 0}, self.silent),
            self.lasts({"timeout": 0, "acse_timeout": 0}, self.half),
            self.lasts({"acse_timeout": 0, "dimse_timeout": 1}, self.half),
            self.lasts({"acse_timeout": 0, "dimse_timeout": 1}, self.released),
            self.lasts({"acse_timeout": 0, "timeout": 1, "dimse_timeout": 1}, self.rejected),
            self.lasts({"timeout": 1, "acse_timeout": 1}, self.established),
            self.lasts({"timeout": 1, "acse_timeout": 1, "dimse_timeout": 0}, self.echoed),
        ])

    def test_a_peer_that_does_not_read_its_answers_is_given_up(self):
        notices = []
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)      # so that it is soon full
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        server = serve(self, on_event=notices.append, acse_timeout=1, listener=listener)
        peer = Peer(server.address, receive_buffer=2048)
        self.addCleanup(peer.close)
        peer.associate()
        peer.sock.settimeout(0.4)
        try:
            while True:
                peer.send(echo_rq() * 200)
        except (socket.timeout, socket.error):
            pass
        wait_until(lambda: any("has not read" in n.sentence for n in notices), "it is given up", 10)
        wait_until(lambda: not server.associations, "its thread is free")


both_forms(Timeouts)

if __name__ == "__main__":
    unittest.main()
