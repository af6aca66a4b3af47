"""The DICOM Upper Layer of a Verification (C-ECHO) SCP.

Every module has one concern, and imports only from those above it in this list: compat, codes, errors, settings, items,
pdu, fsm, acse, dimse, transport, reader, names, dump, foreign, report, association, steward, server, systemd, script,
options, cli.
"""
from dul.codes import VERSION as __version__
from dul.report import Notice
from dul.server import EchoServer

__all__ = ["EchoServer", "Notice", "__version__"]
