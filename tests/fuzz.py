"""Structured mutation of whole conversations: seeded, reproducible.

    python tests/fuzz.py [--decoders N] [--paths N] [--secrets N] [--sockets N] [--seed S]

decoders: nothing but the documented exceptions comes out of what reads and shows the bytes of a peer.
paths: an Association answers alike with and without a trace, with and without remembered decisions, and with or
without remembered answers to the common C-ECHO-RQ.
secrets: whatever is damaged around a user identity, no line of any level shows it.
sockets: against a real server every answer is one that the protocol has, in an order that it allows.
"""
from __future__ import print_function

import random
import re
import struct
import sys
from binascii import hexlify

from driver import Driver, judge_header
from support import FORMS, monotonic, vectors
from wire import (
    CT_IMAGE, RELEASE_RQ, VERIFICATION, Peer, abort, associate_rq, context, decode_ac, echo_command, echo_rq, item,
    p_data,
    pdv, user_information)

NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 65, 67, 68, 69, 127, 128, 255, 256, 16384, 16385, 32767, 32768, 65535,
           65536, 1048576, 1048577, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SLOWEST = 1.0       # seconds that one input may take to decode, on the slowest machine


def corpus():
    """What is mutated: the golden PDUs and a few more."""
    seeds = [entry["data"] for _, entry in sorted(vectors().items())]
    seeds += [associate_rq([context(i, VERIFICATION if i % 4 == 1 else CT_IMAGE) for i in range(1, 40, 2)]),
              associate_rq(user=user_information(item(0x58, b"\2\1\0\4name\0\4pass"),
                                                 item(0x54, b"\0\3" + b"1.2" + b"\1\0"))),
              echo_rq(), p_data(pdv(echo_command()[:20], 1, 1), pdv(echo_command()[20:], 1, 3)), RELEASE_RQ,
              abort(0, 0),
              b"GET / HTTP/1.0\r\n\r\n", p_data(*[pdv(b"", 1, 1)] * 300),
              associate_rq([context(1, transfers=(b"1.2",) * 200)],
                           user=user_information(*[item(0x52, b"1.2.3")] * 200))]
    return seeds


def mutate(data, chance):
    """One to four changes: a byte, a number, a piece cut, doubled, moved or put in, the length made to agree."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(9)
        if kind == 0:
            data = data[:at] + struct.pack("B", chance.randrange(256)) + data[at + 1:]
        elif kind == 1:
            data = data[:at] + struct.pack(">H", chance.choice(NUMBERS) & 0xFFFF) + data[at + 2:]
        elif kind == 2:
            data = data[:at] + struct.pack(chance.choice((">I", "<I")), chance.choice(NUMBERS)) + data[at + 4:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data[:at] + data[at + chance.randrange(1, 9):]
        elif kind == 5:
            end = at + chance.randrange(1, 40)
            data = data[:end] + data[at:end] * chance.randrange(1, 4) + data[end:]
        elif kind == 6:
            data = data[:at] + bytes(bytearray([chance.randrange(256) for _ in range(chance.randrange(1, 9))])) + data[
                at:]
        elif kind == 7 and len(data) > 6:
            data = data[:2] + struct.pack(">I", len(data) - 6) + data[6:]
        elif kind == 8 and data:
            flip = chance.randrange(len(data))
            data = data[:flip] + struct.pack("B",
                                             ord(data[flip:flip + 1]) ^ (1 << chance.randrange(8))) + data[flip + 1:]
    return data


def decode(form, data):
    """Everything that is done with a whole PDU of a peer. Raises what must not come out."""
    try:
        return decode_whole(form, data)
    except form.InvalidPDU as error:
        error.data, error.opening = data, True
        str(error), form.explanation(error), form.invalid_lines(error)
        return "invalid"


def decode_whole(form, data):
    """The same for one that is not broken."""
    if len(data) < 6:
        form.protocol_of(data)
        return "short"
    kind, length = struct.unpack(">BxI", data[:6])
    error = judge_header(form, kind, length)
    if error:
        raise error
    if len(data) != 6 + length:
        return "short"
    if kind == 1:
        decision = form.Negotiator(form.Settings()).decide(data)
        connection = Driver(form)
        form.LINES[form.REQUESTED](connection, decision), form.LINES[form.ACCEPTED](connection, decision)
        decision.problem()
        if decode_ac(decision.ac)["echoed"] != data[10:74]:
            raise AssertionError("an answer that is none")
        return "rejected" if decision.rejected else "accepted"
    if kind == 4:
        service = form.EchoService((1,), 0, {})
        try:
            for echo in service.receive(data):
                form.LINES[form.ECHOED](None, echo)
        except form.MessageError as error:
            str(error)
        return "message"
    if kind == 7:
        str(form.Aborted(*form.decode_abort(data)))
    return "other"


def fuzz_decoders(form, count, seed):
    """Returns {outcome: how often}.

    :raises AssertionError: with the input as hexadecimal, for whatever must not happen
    """
    chance, seeds, outcomes = random.Random(seed), corpus(), {}
    for number in range(count):
        data = mutate(chance.choice(seeds), chance)
        if len(data) > 6 and chance.random() < 0.7:     # the PDU-length agrees
            data = data[:2] + struct.pack(">I", len(data) - 6) + data[6:]
        start = monotonic()
        try:
            outcome = decode(form, data)
        except Exception as error:
            raise AssertionError("seed %s, input %d: %r from %r" % (seed, number, error, data))
        if monotonic() - start > SLOWEST:
            raise AssertionError("seed %s, input %d: too slow: %r" % (seed, number, data))
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def conversation(chance, seeds):
    """Bytes that a peer sends, as a list of pieces."""
    pdus = [associate_rq()] if chance.random() < 0.7 else []
    for _ in range(chance.randrange(1, 4)):
        data = chance.choice(seeds + [echo_rq()] * 10 + [RELEASE_RQ] * 4)
        pdus.append(mutate(data, chance) if chance.random() < 0.7 else data)
    stream = b"".join(pdus)
    if chance.random() < 0.5:
        return [stream]
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(1, 6)))
    return [stream[a:b] for a, b in zip([0] + cuts, cuts + [len(stream)])]


class Forgetful(dict):
    """A memory that keeps nothing."""

    def __setitem__(self, key, value):
        pass


def converse(form, pieces, trace=False, negotiator=None, cached=True):
    """What a peer that sends these pieces gets: bytes, and what is told in words.

    :param cached: whether what a C-ECHO-RQ was answered with may be remembered
    """
    def told(driver, kind, value):
        if kind == form.ACCEPTED and not cached:
            driver.association.service = form.EchoService(value.contexts, value.maximum_length, Forgetful())
    driver = Driver(form, trace, negotiator=negotiator, told=told).feed(*pieces)
    end = driver.state
    driver.end()
    return driver.output, driver.kinds(), [str(error) for error in driver.errors()], end, driver.clocks


def fuzz_paths(form, count, seed):
    """Returns {first PDU type of the answer: how often}.

    :raises AssertionError: with the conversation, where a cache or a trace decides differently
    """
    chance, seeds, outcomes = random.Random(seed), corpus(), {}
    kept = form.Negotiator(form.Settings())
    for number in range(count):
        pieces = conversation(chance, seeds)
        for _ in range(chance.randrange(4)):
            pieces.insert(chance.randrange(len(pieces) + 1), echo_rq(chance.randrange(65536)))
        if chance.random() < 0.7:
            pieces.insert(0, associate_rq())
        got = converse(form, pieces)
        for other in (converse(form, pieces, trace=True), converse(form, pieces, negotiator=kept),
                      converse(form, pieces, cached=False), converse(form, pieces, negotiator=kept)):
            if other != got:
                raise AssertionError("seed %s, conversation %d: %r, %r to %r" % (seed, number, got, other, pieces))
        if not judge(got[0]):
            raise AssertionError("seed %s, conversation %d: %r to %r" % (seed, number, got, pieces))
        outcomes[got[0][:1]] = outcomes.get(got[0][:1], 0) + 1
    return outcomes


USER, PASSCODE = b"maria.huber", b"Zq7#kW9!xT"
WINDOW = 6      # bytes of a secret in a row that are a find
SECRET = b"\0\x0b" + USER + b"\0\x0a" + PASSCODE
OPENINGS = (b"", b"", b"", b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 104\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12,
            b"\0\0\0\0\0\4abcd", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01", b"SSH-2.0-x\r\n", b"EHLO x\r\n",
            b"\x04\0\0\0\0\x40", b"\x01\0\0\0\0\x80")


def secret_requests():
    """A-ASSOCIATE-RQs with a user identity, in several places and beside several things."""
    identities = [item(0x58, kind + SECRET) for kind in (b"\2\1", b"\2\0", b"\1\1")] + [
        item(0x58, b"\1\1\0\x0b" + USER + b"\0\0"), item(0x58, b"\3\0\0\x0a" + PASSCODE + b"\0\0"),
        item(0x58, b"\2\1\0\x0a" + PASSCODE + b"\0\x0b" + USER)]
    for identity in identities:
        yield associate_rq(user=user_information(identity))
        yield associate_rq([], user=item(0x50, identity), extra=context())
        yield associate_rq(user=user_information(item(0x55, b"NAME_1"), identity,
                                                 item(0x54, b"\0\3" + b"1.2" + b"\0\1")))
        yield associate_rq(user=user_information(item(0x56, b"\0\3" + b"1.2" + b"x"), identity)
                           + item(0x50, identity * 2))


def pattern_of(secrets):
    """What finds WINDOW bytes of a secret in a row, as text, and as hex digits with or without spaces."""
    pieces = set(secret[start:start + WINDOW] for secret in secrets for start in range(len(secret) - WINDOW + 1))
    texts = [re.escape(piece.decode("ascii")) for piece in pieces]
    for piece in pieces:
        digits = hexlify(piece).decode("ascii")
        texts.append(" ?".join(digits[at:at + 2] for at in range(0, len(digits), 2)))
    return re.compile("|".join(texts), re.IGNORECASE)


LEAK = pattern_of((USER, PASSCODE))


def lines_of(form, pieces):
    """Every log line that a debug run writes of these pieces."""
    lines = []

    class Lines(form.Log):
        """Takes each line where it is made, cut by nothing."""

        def line(self, level, text, connection=None, start="", exc_info=None):
            """Keep it."""
            lines.append(start + text)

    log = Lines(None)
    log.limit.permits = log.limit.permits_bare = lambda address: True

    def told(driver, kind, value):
        driver.number, driver.peer = 1, "192.0.2.1:4711"
        if kind == form.REQUESTED:
            driver.titles = value.titles
        log.told(driver, kind, value)
    Driver(form, True, told=told).feed(*pieces).end()
    return lines


def damage(data, chance):
    """An RQ with a user identity, damaged: a type or a length changed, bytes cut or put in, entered in the middle."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        secret = max(data.find(USER), data.find(PASSCODE), 0)
        at = chance.choice((chance.randrange(len(data)), max(0, min(secret - chance.randrange(40), len(data) - 1))))
        kind = chance.randrange(8)
        if kind == 0:           # the type of an item, or any byte
            code = chance.choice((0x10, 0x20, 0x30, 0x40, 0x50, 0x51, 0x52, 0x54, 0x55, 0x56, 0x57, 0x58, 0x99,
                                  chance.randrange(256)))
            data = data[:at] + struct.pack("B", code) + data[at + 1:]
        elif kind == 1:         # a length
            data = data[:at] + struct.pack(">H",
                                           chance.choice((chance.randrange(40), chance.randrange(65536)))) + data[at
                                                                                                                  + 2:]
        elif kind == 2:         # the type and the length of an item
            data = data[:at] + struct.pack(">BBH",
                                           chance.choice((0x10, 0x30, 0x40, 0x52, 0x55, 0x56, 0x57, 0x20, 0x50)), 0,
                                           chance.randrange(60)) + data[at + 4:]
        elif kind == 3:         # cut
            data = data[:at] + data[at + chance.randrange(1, 30):]
        elif kind == 4:         # put in
            data = data[:at] + bytes(bytearray([chance.randrange(256) for _ in range(chance.randrange(1, 9))])) + data[
                at:]
        elif kind == 5:         # entered in the middle
            data = data[at:]
        elif kind == 6:
            data = data[:at]
        elif kind == 7:
            data = mutate(data, chance)
        data = data or b"\1"
    if chance.random() < 0.7 and len(data) > 6:     # the PDU-length agrees
        data = data[:2] + struct.pack(">I", len(data) - 6) + data[6:]
    return data


def fuzz_secrets(form, count, seed):
    """Returns {whether an invalid PDU was shown: how often}.

    :raises AssertionError: with the input, for a line that shows a part of a user identity
    """
    chance, seeds, outcomes = random.Random(seed), list(secret_requests()), {}
    for number in range(count):
        data = chance.choice(OPENINGS) + damage(chance.choice(seeds), chance)
        pieces = [associate_rq(), data] if chance.random() < 0.2 else [data]
        lines = lines_of(form, pieces)
        found = [line for line in lines if LEAK.search(line)]
        if found:
            raise AssertionError("seed %s, input %d: %r from %r" % (seed, number, found, pieces))
        outcome = "invalid" if any("INVALID PDU" in line for line in lines) else "other"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def judge(answer):
    """Whether what came back is PDUs that an acceptor may send, in an order that it may send them in."""
    kinds = []
    while answer:
        if len(answer) < 6:
            return False
        kind, length = struct.unpack(">BxI", answer[:6])
        if len(answer) < 6 + length or kind not in (2, 3, 4, 6, 7) or kind not in (2, 4) and length != 4:
            return False
        kinds.append(kind)
        answer = answer[6 + length:]
    text = "".join(str(kind) for kind in kinds)
    while text.endswith("77"):      # AA-7: A-ABORT once more
        text = text[:-1]
    body = text[1:].rstrip("67") if text[:1] == "2" else ""
    return text in ("", "7", "3", "37") or text[:1] == "2" and set(body) <= set("4") and text[1 + len(body):] in (
        "", "6", "7", "67")


def fuzz_sockets(form, count, seed):
    """Returns {first PDU type of the answer: how often}.

    :raises AssertionError: with the conversation, for an answer that is none, or a server that does not go on
    """
    chance, seeds, outcomes = random.Random(seed), corpus(), {}
    with form.EchoServer(port=0) as server:
        for number in range(count):
            pieces = conversation(chance, seeds)
            with Peer(server.address) as peer:
                try:
                    for piece in pieces:
                        peer.send(piece)
                    answer = peer.finish()
                except EnvironmentError:    # it had closed already, as it may after an A-ABORT of ours
                    answer = b""
            if not judge(answer):
                raise AssertionError("seed %s, conversation %d: %r to %r" % (seed, number, answer, pieces))
            outcomes[answer[:1]] = outcomes.get(answer[:1], 0) + 1
        with Peer(server.address) as peer:
            if peer.associate()[:1] != b"\x02":
                raise AssertionError("the server does not go on")
        if server.sums.counts.get(form.FAULTS):
            raise AssertionError("internal errors: %s" % server.sums.counts)
    return outcomes


def main(arguments):
    """The command line."""
    parts = (("--decoders", fuzz_decoders, 100000), ("--paths", fuzz_paths, 10000), ("--secrets", fuzz_secrets, 200000),
             ("--sockets", fuzz_sockets, 1000))
    options = dict([(name, count) for name, _, count in parts], **{"--seed": 1})
    for name, value in zip(arguments[::2], arguments[1::2]):
        options[name] = int(value)
    for name, fuzz, _ in parts:
        start = monotonic()
        outcomes = fuzz(FORMS[-1], options[name], options["--seed"])
        print(name[2:], options[name], outcomes, "%.0f s" % (monotonic() - start))


if __name__ == "__main__":
    main(sys.argv[1:])
