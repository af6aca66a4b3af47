"""Structured mutation of whole conversations: seeded, reproducible.

    python tests/fuzz.py [--decoders N] [--paths N] [--sockets N] [--seed S]

In process, against the pure decoders: nothing but the documented exceptions comes out. In process, whole conversations:
with the short cuts for the common echo and without any, the peer gets the same bytes. Over sockets, against a real
server: every answer is one of those that the protocol has, in an order that it allows, and the server goes on.
"""
from __future__ import print_function

import random
import struct
import sys

from support import FORMS, monotonic, vectors
from wire import (
    CT_IMAGE, RELEASE_RQ, VERIFICATION, Peer, abort, associate_rq, context, echo_command, echo_rq, item, p_data, pdv,
    user_information)

NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 65, 67, 68, 69, 127, 128, 255, 256, 16384, 16385, 32767, 32768, 65535,
           65536, 1048576, 1048577, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SLOWEST = 1.0       # seconds that one input may take to decode, on the slowest machine


def corpus():
    """What is mutated: the golden PDUs and a few more."""
    seeds = [entry["data"] for _, entry in sorted(vectors().items())]
    seeds += [associate_rq([context(i, VERIFICATION if i % 4 == 1 else CT_IMAGE) for i in range(1, 40, 2)]),
              associate_rq(user=user_information(item(0x58, b"\2\1\0\4name\0\4pass"), item(0x54, b"\0\3" + b"1.2" + b"\1\0"))),
              echo_rq(), p_data(pdv(echo_command()[:20], 1, 1), pdv(echo_command()[20:], 1, 3)), RELEASE_RQ, abort(0, 0),
              b"GET / HTTP/1.0\r\n\r\n"]
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
            data = data[:at] + bytes(bytearray([chance.randrange(256) for _ in range(chance.randrange(1, 9))])) + data[at:]
        elif kind == 7 and len(data) > 6:
            data = data[:2] + struct.pack(">I", len(data) - 6) + data[6:]
        elif kind == 8 and data:
            flip = chance.randrange(len(data))
            data = data[:flip] + struct.pack("B", ord(data[flip:flip + 1]) ^ (1 << chance.randrange(8))) + data[flip + 1:]
    return data


def decode(form, data):
    """Everything that the pure part does with bytes from a peer. Raises what must not come out."""
    try:
        decoded = form.decode_pdu(data)
    except form.InvalidPDU as error:
        str(error), form.protocol_of(data), form.hex_lines(data)
        return "invalid"
    if isinstance(decoded, form.PDataTF):
        assembler, short = form.Assembler(), form.CommonEcho(1).answer(data)
        answers = []
        try:
            for each in decoded.pdvs:
                command = assembler.add(each, (1,))
                if command is not None:
                    command_set = form.CommandSet.decode(command)
                    form.message_lines("INCOMING", 1, command_set, command)
                    answers += form.to_pdus(1, form.EchoRequest.of(command_set).response(), 0)
        except form.MessageError as error:
            str(error)
            answers = None
        if short is not None and answers != [short]:
            raise AssertionError("the short cut decides differently")
        return "message"
    if isinstance(decoded, form.AAssociateRQ):
        form.request_lines(decoded)
        try:
            form.check_protocol_version(decoded)
            acceptance = form.negotiate(decoded, form.Settings())
        except form.Rejected as error:
            return str(error) and "rejected"
        form.acceptance_lines(decoded, acceptance.ac, "ME")
        answer = acceptance.ac.encode()
        if answer[10:74] != data[10:74] or form.AAssociateAC.decode(answer) != acceptance.ac:
            raise AssertionError("an answer that is none")
        return "accepted"
    return "other"


def fuzz_decoders(form, count, seed):
    """Returns {outcome: how often}.

    :raises AssertionError: with the input as hexadecimal, for whatever must not happen
    """
    chance, seeds, outcomes = random.Random(seed), corpus(), {}
    for number in range(count):
        data = mutate(chance.choice(seeds), chance)
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


class Pieces(object):
    """A socket whose peer sends these pieces and then closes; ``sent`` is what it got."""

    def __init__(self, pieces):
        self.pieces = [piece for piece in reversed(pieces) if piece]
        self.sent = b""

    def recv(self, most):
        """As a socket does it."""
        if not self.pieces:
            return b""
        piece = self.pieces.pop()
        if len(piece) > most:
            self.pieces.append(piece[most:])
        return piece[:most]

    def sendall(self, data):
        """As a socket does it."""
        self.sent += data

    def ignore(self, *_):
        """What does not matter here."""

    setsockopt = settimeout = setblocking = gettimeout = shutdown = close = ignore


class Alone(object):
    """What an association is part of: nothing."""

    stopping = False

    def admit(self):
        """There is room."""
        return True

    def leave(self):
        """Noted."""

    busy = leave


def answers(form, pieces):
    """What a peer that sends these pieces gets: without a listener, with one, and on the full path alone."""
    class FullPath(form.Association):
        """Decodes every C-ECHO-RQ."""

        __slots__ = ()

        def ae_7(self, acceptance):
            """Without the short cut."""
            form.Association.ae_7(self, acceptance)
            self.common = None

    for kind, on_event in ((form.Association, None), (form.Association, lambda notice: None), (FullPath, None)):
        sock, report = Pieces(pieces), form.Report(on_event)
        report.log = lambda *_, **__: None
        kind(sock, ("127.0.0.1", 1), form.Settings(), report, Alone()).run()
        if report.sums.get("faults"):
            raise AssertionError("internal errors: %s" % report.sums)
        yield sock.sent


def fuzz_paths(form, count, seed):
    """Returns {first PDU type of the answer: how often}.

    :raises AssertionError: with the conversation, where a short cut decides differently
    """
    chance, seeds, outcomes = random.Random(seed), corpus(), {}
    for number in range(count):
        pieces = conversation(chance, seeds)
        for _ in range(chance.randrange(4)):
            pieces.insert(chance.randrange(len(pieces) + 1), echo_rq(chance.randrange(65536)))
        if chance.random() < 0.7:
            pieces.insert(0, associate_rq())
        got = list(answers(form, pieces))
        if got != got[:1] * len(got):
            raise AssertionError("seed %s, conversation %d: %r to %r" % (seed, number, got, pieces))
        outcomes[got[0][:1]] = outcomes.get(got[0][:1], 0) + 1
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
        if server.report.sums.get("faults"):
            raise AssertionError("internal errors: %s" % server.report.sums)
    return outcomes


def main(arguments):
    """The command line."""
    options = {"--decoders": 100000, "--paths": 10000, "--sockets": 1000, "--seed": 1}
    for name, value in zip(arguments[::2], arguments[1::2]):
        options[name] = int(value)
    for name, fuzz in (("--decoders", fuzz_decoders), ("--paths", fuzz_paths), ("--sockets", fuzz_sockets)):
        start = monotonic()
        outcomes = fuzz(FORMS[-1], options[name], options["--seed"])
        print(name[2:], options[name], outcomes, "%.0f s" % (monotonic() - start))


if __name__ == "__main__":
    main(sys.argv[1:])
