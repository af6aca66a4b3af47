"""-to, -ta and -td on real sockets: absolute deadlines that no peer can extend, each leaving the other phases alone.

Lower bounds are strict; upper bounds only tell a deadline that is kept from none at all.
"""
import select
import socket
import threading
import unittest

from support import at_length, monotonic, serve, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, abort, associate_rq, echo_rq, echo_rsp, pdu, reject

EARLY = 0.03        # seconds: the clock of Python 2.7 has steps of 10 ms
LATE = 15.0         # seconds
ONE, TWO = 0.5, 1   # seconds of the deadlines
DRIP = 0.05         # seconds that a peer waits for the end before it sends one byte more


def silent(_):
    """Connected, nothing more."""


def half(peer):
    """22 bytes of a request."""
    peer.send(associate_rq()[:22])


def established(peer):
    """An association; the clock of -td starts with it."""
    if peer.associate()[:1] != b"\x02":
        raise AssertionError("not accepted")


def echoed(peer):
    """An association with an echo after a quarter of the deadline; the clock of -td starts anew with it."""
    established(peer)
    if select.select([peer.sock], [], [], ONE / 2)[0]:
        raise AssertionError("something came too early")
    start = monotonic()
    if peer.send(echo_rq()).pdu() != echo_rsp():
        raise AssertionError("no echo")
    return start


def released(peer):
    """Released, but not closed."""
    established(peer)
    start = monotonic()
    if peer.send(RELEASE_RQ).pdu() != RELEASE_RP:
        raise AssertionError("not released")
    return start


def rejected(peer):
    """Rejected, but not closed."""
    if peer.associate(version=0) != reject(1, 2, 2):
        raise AssertionError("not rejected")


def aborted(peer):
    """Aborted, but not closed."""
    established(peer)
    start = monotonic()
    if peer.send(pdu(0x99, b"")).pdu() != abort(2, 1):
        raise AssertionError("not aborted")
    return start


def until_the_end(peer, drip):
    """What the peer gets until the end of the stream, while it sends ``drip`` byte by byte."""
    got = b""
    try:
        while True:
            if drip and not select.select([peer.sock], [], [], DRIP)[0]:
                peer.send(drip[:1])
                drip = drip[1:]
                continue
            more = peer.sock.recv(100)
            got += more
            if not more or got == abort(0, 0):
                return got
    except socket.error:        # closed with unread bytes of ours: a reset, which Sta2 and Sta13 allow
        return got


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
            start = monotonic()
            with Peer(server.address) as peer:
                start = conversation(peer) or start
                got = until_the_end(peer, drip)
                took = monotonic() - start
            self.assertEqual(got, answer)
            self.assertTrue(due - EARLY <= took <= due + LATE, "%.2f s instead of %s" % (took, due))
            if words:
                sentence = wait_until(lambda: [n.sentence for n in notices if n.sentence], "a sentence")[0]
                self.assertIn(words, sentence)
        case.__name__ = "%s %s" % (settings, conversation.__name__)
        return case

    def outlasts(self, settings, conversation, other, data, answer):
        """A case: what comes after ``conversation(peer)`` has no limit, as it still is answered when another peer, who
        began later, after ``other(peer)`` has been ended by the same limit."""
        def case():
            server = serve(self, **settings)
            with Peer(server.address) as peer, Peer(server.address) as later:
                conversation(peer)
                other(later)
                until_the_end(later, b"")
                self.assertEqual(peer.send(data).read(len(answer)), answer)
        case.__name__ = "%s %s outlasts %s" % (settings, conversation.__name__, other.__name__)
        return case

    def test_each_deadline_ends_its_phase_on_time_whatever_drips_and_no_other(self):
        echo, request = echo_rq(), associate_rq()
        sta2 = "(%s) in Sta2 (transport connection open, awaiting A-ASSOCIATE-RQ)"
        td = {"acse_timeout": 0, "dimse_timeout": ONE}
        self.run_all([
            self.ends({"timeout": ONE}, silent, ONE, b"", "timeout: nothing in 0.5 s " + sta2 % "-to"),
            self.ends({"timeout": ONE, "acse_timeout": 0}, half, ONE, b"",
                      "22 of 172 bytes of A-ASSOCIATE-RQ in 0.5 s (-to)"),
            self.ends({"timeout": ONE}, silent, ONE, b"", " bytes of A-ASSOCIATE-RQ in 0.5 s (-to)", drip=request),
            self.ends({"acse_timeout": ONE}, silent, ONE, b"", "timeout: nothing in 0.5 s " + sta2 % "-ta"),
            self.ends({"acse_timeout": ONE}, half, ONE, b"", "22 of 172 bytes of A-ASSOCIATE-RQ in 0.5 s (-ta)"),
            self.ends({"acse_timeout": ONE}, silent, ONE, b"", " bytes of A-ASSOCIATE-RQ in 0.5 s (-ta)", drip=request),
            self.ends({"timeout": ONE, "acse_timeout": TWO}, silent, ONE, b"", "in 0.5 s (-to)"),
            self.ends({"timeout": TWO, "acse_timeout": ONE}, silent, ONE, b"", "in 0.5 s (-ta)"),
            self.ends(td, established, ONE, abort(0, 0), "timeout: nothing in 0.5 s (-td) in Sta6"),
            self.ends(td, established, ONE, abort(0, 0), " bytes of P-DATA-TF in 0.5 s (-td) in Sta6", drip=echo),
            self.ends({"acse_timeout": 0, "dimse_timeout": TWO}, echoed, TWO, abort(0, 0),
                      "nothing in 1 s (-td) in Sta6"),
            self.ends({"acse_timeout": ONE}, released, ONE, b"", None),
            self.ends({"acse_timeout": ONE}, rejected, ONE, b"", "protocol-version-not-supported"),
            self.ends({"acse_timeout": ONE}, aborted, ONE, b"", "PDU-type"),
            self.ends({"acse_timeout": ONE}, released, ONE, b"", None, drip=echo),
            # 0 means none, and each leaves the other phases alone
            self.outlasts(dict(td, timeout=0), silent, established, request, b"\2\0"),
            self.outlasts(dict(td, timeout=0), half, established, request[22:], b"\2\0"),
            self.outlasts(td, released, established, request, abort(2, 2)),
            self.outlasts(dict(td, timeout=ONE), rejected, silent, request, abort(2, 2)),
            self.outlasts({"timeout": ONE, "acse_timeout": TWO}, established, silent, echo, echo_rsp()),
            self.outlasts({"timeout": TWO, "acse_timeout": ONE}, established, silent, echo, echo_rsp()),
            self.outlasts({"timeout": ONE, "acse_timeout": ONE}, echoed, half, echo, echo_rsp()),
        ])

    def test_the_default_of_to_and_td_is_no_limit_and_of_ta_30_s(self):
        settings = self.dul.Settings()
        self.assertEqual((settings.timeout, settings.acse_timeout, settings.dimse_timeout), (0, 30, 0))


at_length(Timeouts)

if __name__ == "__main__":
    unittest.main()
