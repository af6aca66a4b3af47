"""Socket activation and readiness, with a real socket handed over."""
import os
import signal
import socket
import sys
import unittest

from process import Program, folder, free_port, run
from support import both_forms
from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp

# Becomes the program in the same process, as systemd does, so that LISTEN_PID is its own.
HAND_OVER = ("import os, sys\n"
             "os.dup2(int(sys.argv[1]), 3)\n"
             "os.environ.update(LISTEN_PID=str(os.getpid()) if sys.argv[3] == 'own' else '1', LISTEN_FDS=sys.argv[2])\n"
             "os.execv(sys.argv[4], sys.argv[4:])\n")


@unittest.skipIf(os.name == "nt", "systemd is not there")
class Activation(object):
    """LISTEN_FDS."""

    def listener(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        sock = socket.socket(family, kind)
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen(10)
        if hasattr(sock, "set_inheritable"):
            sock.set_inheritable(True)
        return sock

    def command(self, sock, count="1", whose="own"):
        return [sys.executable, "-c", HAND_OVER, str(sock.fileno()), count, whose] + self.dul.COMMAND

    def program(self, sock, **options):
        if sys.version_info[0] > 2:
            options["close_fds"] = False
        return Program(self, port=sock.getsockname()[1], command=self.command(sock), wait=False, **options)

    def refused(self, sock, port, count="1"):
        command, self.dul.COMMAND = self.dul.COMMAND, self.command(sock, count)
        try:
            return run(self, [str(port)], close_fds=False)
        finally:
            self.dul.COMMAND = command

    def test_the_socket_handed_over_takes_the_place_of_our_own(self):
        families = [(socket.AF_INET, "127.0.0.1")]
        if socket.has_ipv6:
            families.append((socket.AF_INET6, "::1"))
        for family, host in families:
            try:
                sock = self.listener(family)
            except socket.error:
                continue
            program = self.program(sock, stderr=None)
            with Peer((host, sock.getsockname()[1])) as peer:   # the kernel holds it until the program is there
                peer.associate()
                self.assertEqual(peer.send(echo_rq(9)).pdu(), echo_rsp(9))
                self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
            self.assertEqual(program.end(), -signal.SIGTERM)

    def test_another_port_on_the_command_line_is_refused(self):
        sock = self.listener()
        status, out, err = self.refused(sock, 104)
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, "echoscp.py: port 104 is not the port of the socket handed over (LISTEN_FDS), which is %d\n"
                         % sock.getsockname()[1])

    def test_what_does_not_listen_and_more_than_one_are_refused(self):
        udp = self.listener(kind=socket.SOCK_DGRAM)
        status, out, err = self.refused(udp, udp.getsockname()[1])
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        self.assertIn("does not listen on TCP", err)
        sock = self.listener()
        status, out, err = self.refused(sock, sock.getsockname()[1], "2")
        self.assertEqual((status, err), (2, "echoscp.py: LISTEN_FDS is 2, due: 1 listening socket\n"))

    def test_what_is_meant_for_another_process_is_left_alone(self):
        self.assertIsNone(self.dul.handed_over({}))
        self.assertIsNone(self.dul.handed_over({"LISTEN_PID": "1", "LISTEN_FDS": "1"}))
        self.assertIsNone(self.dul.handed_over({"LISTEN_PID": str(os.getpid())}))
        self.assertRaises(ValueError, self.dul.handed_over, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"})


@unittest.skipUnless(hasattr(socket, "AF_UNIX"), "there are no such sockets here")
class Readiness(object):
    """NOTIFY_SOCKET."""

    def receiver(self, address):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(address)
        sock.settimeout(20)
        return sock

    def test_ready_once_it_listens_and_stopping_when_it_ends(self):
        path = os.path.join(folder(self), "notify")
        addresses = [(path, path)]
        if sys.platform.startswith("linux"):
            addresses.append(("\0echoscp-test-%d" % os.getpid(), "@echoscp-test-%d" % os.getpid()))
        for address, name in addresses:
            receiver = self.receiver(address)
            port = free_port()
            program = Program(self, port=port, wait=False, env=dict(os.environ, NOTIFY_SOCKET=name))
            self.assertEqual(receiver.recv(100), b"READY=1")
            Peer(("127.0.0.1", port)).close()       # it listens: no waiting is needed any more
            self.assertEqual(program.end(), -signal.SIGTERM)
            self.assertEqual(receiver.recv(100), b"STOPPING=1")
            receiver.close()

    def test_nobody_there_harms_nothing(self):
        self.dul.notify({}, "READY=1")
        self.dul.notify({"NOTIFY_SOCKET": ""}, "READY=1")
        self.dul.notify({"NOTIFY_SOCKET": "/no/such/socket"}, "READY=1")


both_forms(Activation)
both_forms(Readiness)

if __name__ == "__main__":
    unittest.main()
