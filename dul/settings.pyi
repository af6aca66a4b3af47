from typing import Iterable, Tuple

PREFER_LITTLE: Tuple[bytes, ...]
PREFER_BIG: Tuple[bytes, ...]
IMPLICIT_ONLY: Tuple[bytes, ...]

class Settings:
    ae_title: str
    timeout: int
    acse_timeout: int
    dimse_timeout: int
    maximum_length: int
    transfer_syntaxes: Tuple[bytes, ...]
    def __init__(
        self,
        ae_title: str = ...,
        timeout: int = ...,
        acse_timeout: int = ...,
        dimse_timeout: int = ...,
        maximum_length: int = ...,
        transfer_syntaxes: Iterable[bytes] = ...,
    ) -> None: ...
