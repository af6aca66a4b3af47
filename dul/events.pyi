from typing import Any, Dict, Optional

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
    def __init__(self, connection: Any, kind: str, value: Any) -> None: ...

class Sums:
    counts: Dict[str, int]
    slowest: float
    def __init__(self) -> None: ...
    def add(self, kind: str, echoes: int = ...) -> None: ...
    def told(self, connection: Any, kind: str, value: Any) -> None: ...
    def summary(self, admission: Any) -> str: ...
