"""What a peer or a user wrote, made fit for one line of a log and a terminal."""

PLAIN = bytes(bytearray(code for code in range(0x20, 0x7F) if code != 0x5C))    # shown as it is
LONGEST_VALUE = 1000    # bytes or characters of one value that are shown; a peer can send a UID of 65535 bytes
LONGEST_LINE = 2000     # characters of one line


def as_native(data):
    """The native string (str of this Python) of ASCII bytes."""
    return data if str is bytes else data.decode("ascii")


def is_plain(data):
    """Whether bytes are printable ASCII without a backslash."""
    return not data.translate(None, PLAIN)


def escaped(data):
    """Bytes, or text by its code points, in printable ASCII: at most LONGEST_VALUE of it. Any other byte comes out as
    ``\\xNN``, a backslash doubled, so that no value can pass for an escape."""
    more = len(data) - LONGEST_VALUE
    if more > 0:
        return "%s ... (%d more)" % (escaped(data[:LONGEST_VALUE]), more)
    if isinstance(data, bytes) and is_plain(data):
        return as_native(data)
    codes = bytearray(data) if isinstance(data, bytes) else [ord(character) for character in data]
    return "".join(["\\\\" if code == 0x5C else chr(code) if 0x20 <= code < 0x7F
                    else "\\x%02x" % code if code < 0x100 else "\\u%04x" % code for code in codes])


def shortened(text):
    """A line, cut where it is longer than LONGEST_LINE."""
    more = len(text) - LONGEST_LINE
    return "%s ... (%d characters more)" % (text[:LONGEST_LINE], more) if more > 0 else text


def counted(number, noun):
    """``1 echo``, ``2 echoes``: a number and its noun."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "es" if noun.endswith("o") else "s")
