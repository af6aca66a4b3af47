"""The main job: a C-ECHO, answered end to end over a real socket."""
import unittest

from support import both_forms, serve, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp


class MainJob(object):
    """A real server on a free port, a real socket."""

    def test_an_echo_is_answered_and_the_association_released(self):
        server = serve(self)
        with Peer(server.address) as peer:
            self.assertEqual(peer.associate()[:1], b"\x02")
            self.assertEqual(peer.send(echo_rq(7)).pdu(), echo_rsp(7))
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
            self.assertEqual(peer.finish(), b"")
        wait_until(lambda: not server.admission.connections, "the association is over")


both_forms(MainJob)

if __name__ == "__main__":
    unittest.main()
