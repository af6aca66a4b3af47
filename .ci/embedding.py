"""What a type checker sees of a program that embeds the server."""
from typing import List

from dul import EchoServer, Notice

notices: List[Notice] = []


def told(notice: Notice) -> None:
    """Keep what happens."""
    notices.append(notice)


with EchoServer(port=0, on_event=told, ae_title="TEST", dimse_timeout=5) as server:
    host, port = server.address
    print(host.upper(), port + 1, server.summary(), [notice.sentence.upper() for notice in notices])
