from typing import Any, Callable, Dict, Optional

class Notice:
    kind: str
    association: int
    peer: str
    calling: str
    called: str
    message_id: Optional[int]
    sentence: str
    error: Optional[Exception]
    handle: Any
    def __init__(
        self,
        kind: str,
        handle: Any,
        message_id: Optional[int] = ...,
        error: Optional[Exception] = ...,
        sentence: str = ...,
    ) -> None: ...

class Report:
    on_event: Optional[Callable[[Notice], Any]]
    sums: Dict[str, int]
    number: int
    most: int
    open: int
    def __init__(self, on_event: Optional[Callable[[Notice], Any]] = ...) -> None: ...
    def summary(self) -> str: ...
