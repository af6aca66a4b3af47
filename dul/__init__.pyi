from dul.events import Notice as Notice
from dul.server import EchoServer as EchoServer

__version__: str
