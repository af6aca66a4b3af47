"""What a peer can do wrong: the sentence of each error, and the abort that is owed."""
import unittest

from support import both_forms


class Errors(object):
    """Each class."""

    def state(self, number):
        return self.dul.STATES[number - 1]

    def test_all_are_errors_of_the_peer(self):
        for name in ("InvalidPDU", "MessageError", "Rejected", "Expired", "ConnectionLost", "ClosedHere", "Stopped",
                     "Aborted",
                     "UnexpectedPDU"):
            self.assertTrue(issubclass(getattr(self.dul, name), self.dul.PeerError), name)
        self.assertFalse(issubclass(self.dul.Undefined, self.dul.PeerError))
        self.assertFalse(issubclass(self.dul.PeerError, (EnvironmentError, ValueError)))

    def test_an_invalid_pdu_tells_place_field_section_found_and_due(self):
        error = self.dul.InvalidPDU("A-ABORT", 2, "PDU-length", "9.3.8", "5", "4")
        self.assertEqual(str(error), "A-ABORT: PDU-length at byte 2 is 5, due: 4 (PS3.8 9.3.8)")
        self.assertEqual((error.offset, error.abort, error.data, error.opening), (2, (2, 6), b"", False))
        error = self.dul.InvalidPDU("X", 77, "F", "PS3.7 D.3.3.4", "a", "b", (2, 1))
        self.assertEqual(str(error), "X: F at byte 77 is a, due: b (PS3.7 D.3.3.4)")
        self.assertEqual((error.offset, error.abort), (77, (2, 1)))

    def test_a_message_error_is_its_sentence_and_an_abort_of_the_user(self):
        error = self.dul.MessageError("what happened")
        self.assertEqual((str(error), error.abort, tuple(error.unanswered)), ("what happened", (0, 0), ()))

    def test_a_reject_is_of_the_user_or_of_the_provider(self):
        error = self.dul.Rejected((1, 1, 2), "another context")
        self.assertEqual(str(error),
                         "another context (result 1: rejected-permanent, source 1: DICOM UL service-user, reason 2: "
                         "application-context-name-not-supported)")
        self.assertEqual((error.reject, error.by_user), ((1, 1, 2), True))
        for reject in ((1, 2, 2), (2, 3, 2)):
            self.assertFalse(self.dul.Rejected(reject, "").by_user)

    def test_an_expired_deadline_tells_what_had_arrived_and_by_which_option(self):
        error = self.dul.Expired("-ta", 30, self.state(2), "22 of 172 bytes of A-ASSOCIATE-RQ")
        self.assertEqual(str(error),
                         "timeout: 22 of 172 bytes of A-ASSOCIATE-RQ in 30 s (-ta) in Sta2 (transport connection open, "
                         "awaiting A-ASSOCIATE-RQ)")
        error = self.dul.Expired("-td", 1, self.state(6), "")
        self.assertEqual(str(error),
                         "timeout: nothing in 1 s (-td) in Sta6 (association established, ready for data transfer)")
        self.assertEqual(error.abort, (0, 0))
        for seconds in (0.25, 1000001):
            self.assertIn(" in %r s (-td)" % seconds, str(self.dul.Expired("-td", seconds, self.state(6), "")))

    def test_a_lost_connection_tells_where_and_after_what(self):
        error = self.dul.ConnectionLost("connection closed by the peer")
        self.assertEqual((str(error), error.state, error.progress, error.echoes, error.closed), (
            "connection closed by the peer", None, "", 0, False))
        error.state = self.state(6)
        self.assertEqual(str(error),
                         "connection closed by the peer in Sta6 (association established, ready for data transfer)")
        error.progress = "40 of 80 bytes of P-DATA-TF"
        self.assertEqual(str(error),
                         "connection closed by the peer in Sta6 (association established, ready for data transfer), "
                         "after 40 of 80 bytes of P-DATA-TF")
        error.state = None
        self.assertEqual(str(error), "connection closed by the peer, after 40 of 80 bytes of P-DATA-TF")

    def test_what_is_closed_here_is_unexpected_unless_it_is_said(self):
        error = self.dul.ClosedHere("closed: because")
        self.assertEqual((str(error), error.expected, error.state, error.echoes), ("closed: because", False, None, 0))
        self.assertIsInstance(error, self.dul.ConnectionLost)
        error.expected = True
        self.assertFalse(self.dul.ClosedHere("").expected)

    def test_a_stop_is_its_sentence_and_an_abort_of_the_user(self):
        error = self.dul.Stopped("this server stops")
        self.assertEqual((str(error), error.abort), ("this server stops", (0, 0)))

    def test_an_abort_of_the_peer_is_told_in_words(self):
        self.assertEqual(str(self.dul.Aborted(0, 5)), "A-ABORT from the peer: source 0: DICOM UL service-user")
        self.assertEqual(str(self.dul.Aborted(2, 4)),
                         "A-ABORT from the peer: source 2: DICOM UL service-provider, reason 4: "
                         "unrecognized-PDU parameter")

    def test_an_unexpected_pdu_tells_its_state(self):
        error = self.dul.UnexpectedPDU("A-RELEASE-RP", self.state(6))
        self.assertEqual(str(error),
                         "A-RELEASE-RP in Sta6 (association established, ready for data transfer) (PS3.8 9.2.3)")
        self.assertEqual(error.abort, (2, 2))


both_forms(Errors)

if __name__ == "__main__":
    unittest.main()
