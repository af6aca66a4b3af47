import socket as _socket
from typing import Any, Callable, Iterable, Optional, Tuple

from dul.report import Notice, Report
from dul.settings import Settings

class EchoServer:
    settings: Settings
    report: Report
    def __init__(
        self,
        port: int = ...,
        host: str = ...,
        max_associations: int = ...,
        on_event: Optional[Callable[[Notice], Any]] = ...,
        listener: Optional[_socket.socket] = ...,
        report: Optional[Report] = ...,
        steward: Any = ...,
        *,
        ae_title: str = ...,
        timeout: int = ...,
        acse_timeout: int = ...,
        dimse_timeout: int = ...,
        maximum_length: int = ...,
        transfer_syntaxes: Iterable[bytes] = ...,
    ) -> None: ...
    @property
    def address(self) -> Tuple[str, int]: ...
    def start(self) -> EchoServer: ...
    def stop(self) -> None: ...
    def serve_forever(self, poll_interval: Optional[float] = ...) -> None: ...
    def shutdown(self) -> None: ...
    def server_close(self) -> None: ...
    def __enter__(self) -> EchoServer: ...
    def __exit__(self, *_: Any) -> None: ...
