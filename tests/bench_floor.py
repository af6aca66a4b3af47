"""The floor: a ThreadingTCPServer that answers canned PDUs, checks nothing and knows no state.

No honest server that starts a thread for each connection can be faster.
"""
import struct
import sys
import threading

from wire import LITTLE, RELEASE_RP, VERIFICATION, echo_rsp, item, pdu

try:
    import socketserver
except ImportError:
    import SocketServer as socketserver

AC = pdu(2, b"\0\1\0\0" + b"ECHOSCP".ljust(16) + b"BENCH".ljust(16) + b"\0" * 32 + item(0x10, b"1.2.840.10008.3.1.1.1")
         + item(0x21, b"\1\0\0\0" + item(0x40, LITTLE))
         + item(0x50, item(0x51, b"\0\0\x40\0") + item(0x52, VERIFICATION)))
ANSWERS = {1: AC, 4: echo_rsp(1), 5: RELEASE_RP}


class Handler(socketserver.BaseRequestHandler):
    """Reads a PDU by its length, answers by its type."""

    def handle(self):
        """Until the peer closes."""
        data = b""
        while True:
            while len(data) < 6 or len(data) < 6 + struct.unpack_from(">I", data, 2)[0]:
                more = self.request.recv(16384)
                if not more:
                    return
                data += more
            self.request.sendall(ANSWERS[ord(data[:1])])
            data = data[6 + struct.unpack_from(">I", data, 2)[0]:]


class Floor(socketserver.ThreadingTCPServer):
    """The server."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096

    def handle_error(self, request, client_address):
        """Nothing."""


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    Floor(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
