"""What a server is told to do, and the rule for each value: the same for the command line and for embedding."""
from dul.codes import AE_TITLE_LENGTH, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dul.text import as_native, escaped

LEAST_MAXIMUM_LENGTH, LARGEST_MAXIMUM_LENGTH = 128, 4294967295      # bytes
LONGEST_TIMEOUT = 4294967295        # seconds

# The acceptor's order of transfer syntaxes, the preferred one first
PREFER_LITTLE = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)
PREFER_BIG = (EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE)
IMPLICIT_ONLY = (IMPLICIT_LITTLE,)


def check_title(title):
    """An AE title (PS3.5 6.2): 1 to 16 characters of the default repertoire; else a ValueError says so."""
    text = title if isinstance(title, str) else as_native(title)
    if not 1 <= len(text) <= AE_TITLE_LENGTH or not text.strip(" ") or "\\" in text or escaped(text) != text:
        raise ValueError("1 to %d printable ASCII characters, no backslash, not only spaces" % AE_TITLE_LENGTH)
    return text


def check_seconds(seconds):
    """A timeout: 0 (no limit) to 4294967295 seconds; else a ValueError says so."""
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("0 (no limit) to %d seconds" % LONGEST_TIMEOUT)
    return seconds


def check_maximum_length(length):
    """A Maximum Length (PS3.8 D.1): 0 (no limit) or 128 to 4294967295 bytes; else a ValueError says so."""
    if length and not LEAST_MAXIMUM_LENGTH <= length <= LARGEST_MAXIMUM_LENGTH:
        raise ValueError("0 (no limit) or %d to %d bytes" % (LEAST_MAXIMUM_LENGTH, LARGEST_MAXIMUM_LENGTH))
    return length


class Settings(object):
    """What every association of a server is held to.

    :param ae_title: ours, 1 to 16 characters; it is shown, and any called title is accepted
    :param timeout: seconds from accept until a whole A-ASSOCIATE-RQ is there; 0: no limit of its own
    :param acse_timeout: seconds of the ARTIM timer, and of each send; 0: no limit in Sta2
    :param dimse_timeout: seconds until the next complete message; 0: no limit
    :param maximum_length: the longest PDU-length of a P-DATA-TF that we take, in bytes; 0: no limit
    :param transfer_syntaxes: UIDs, the preferred one first
    :raises ValueError: for a value out of its range; TypeError for a UID that is no bytes
    """

    __slots__ = ("ae_title", "timeout", "acse_timeout", "dimse_timeout", "maximum_length", "transfer_syntaxes")

    def __init__(self, ae_title="ECHOSCP", timeout=0, acse_timeout=30, dimse_timeout=0, maximum_length=16384,
                 transfer_syntaxes=PREFER_LITTLE):
        self.ae_title = check_title(ae_title)
        self.timeout = check_seconds(timeout)
        self.acse_timeout = check_seconds(acse_timeout)
        self.dimse_timeout = check_seconds(dimse_timeout)
        self.maximum_length = int(check_maximum_length(maximum_length))
        self.transfer_syntaxes = tuple([bytes(each) for each in transfer_syntaxes])
