"""The names of UIDs, for people: the few that matter for Verification, and pydicom's where it is installed.

pydicom is imported only when the first name is asked for that this table has not.
"""
import threading

from dul.codes import UID_LENGTH, UID_NAMES
from dul.compat import escaped

PYDICOM_LOCK = threading.Lock()     # for what is the whole process's while pydicom reads: the filters of warnings


def uid_name(uid):
    """``Verification SOP Class``; for a UID without a known name the UID itself, escaped.

    :param uid: bytes without padding
    """
    text = escaped(uid)
    return UID_NAMES.get(text) or _pydicom_name(text) or text


def named_uid(uid):
    """``=Verification SOP Class``, or the plain UID: as DCMTK's dumps have it."""
    name, text = uid_name(uid), escaped(uid)
    return text if name == text else "=" + name


def data_set_lines(command_set):
    """pydicom's dump of a command set, a list of lines; None where pydicom is not installed or cannot read it."""
    return _ask_pydicom(_dump, command_set)


def _pydicom_name(text):
    if not text.startswith("1.2.840.10008.") or text.strip("0123456789.") or len(text) > UID_LENGTH:
        return None
    name = _ask_pydicom(_name, text)
    return None if name == text else name


def _ask_pydicom(question, subject):
    try:
        import warnings
        with PYDICOM_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")     # they would go to the terminal, with what the peer sent
            return question(subject)
    except Exception:  # a package that this program does not need must not be able to stop it
        return None


def _name(uid):
    from pydicom.uid import UID
    return escaped(str(UID(uid).name))


def _dump(command_set):
    from io import BytesIO
    from pydicom.filereader import read_dataset
    return [escaped(line) for line in str(read_dataset(BytesIO(command_set), True, True)).splitlines()]
