"""The DICOM Upper Layer of a Verification (C-ECHO) SCP.

Every module has one concern, and imports only from those above it in this list. The protocol half, which knows no
socket, thread, clock, file or log: codes, text, words, errors, settings, items, pdu, fsm, acse, dimse, association.
The host half, which carries out what it says: compat, transport, reader, connection, admission, dump, foreign, events,
log, pool, server, options, service, cli.
"""
from dul.codes import VERSION as __version__
from dul.events import Notice
from dul.server import EchoServer

__all__ = ["EchoServer", "Notice", "__version__"]
