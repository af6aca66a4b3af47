"""Whether anything leaks: associations of all kinds, good and hostile, against one server process.

    python tests/soak.py [COUNT]        (100000)

Prints threads, descriptors and memory after the first thousand and at the end; exit status 1 where they have grown. Of
threads, the program keeps up to IDLE_THREADS that have nothing to do: as many as were once busy at the same time.
"""
from __future__ import print_function

import os
import random
import socket
import sys
import unittest

from fuzz import conversation, corpus
from process import Program
from support import ONE_FILE, wait_until
from wire import RELEASE_RQ, Peer, associate_rq, echo_rq

SETTLED = 1000      # associations after which nothing may grow any more
IDLE_THREADS = 128
GROWTH = 1.10       # of memory, that allocators may add


def figures(pid):
    """(threads, descriptors, resident memory in kB)."""
    status = {}
    with open("/proc/%d/status" % pid) as source:
        for line in source:
            name, _, value = line.partition(":")
            status[name] = value.split()
    return int(status["Threads"][0]), len(os.listdir("/proc/%d/fd" % pid)), int(status["VmRSS"][0])


def one(address, chance, seeds):
    """One association of some kind."""
    kind = chance.randrange(6)
    try:
        with Peer(address) as peer:
            if kind < 2:
                peer.associate()
                peer.send(echo_rq()).pdu()
                peer.send(RELEASE_RQ).pdu()
            elif kind == 2:
                pass
            elif kind == 3:
                peer.send(associate_rq()[:chance.randrange(170)])
                peer.reset()
            elif kind == 4:
                peer.associate()
                peer.send(echo_rq()).reset()
            else:
                for piece in conversation(chance, seeds):
                    peer.send(piece)
                peer.finish()
    except EnvironmentError:    # the other side was quicker
        pass


def main(count):
    """Returns the exit status."""
    case = unittest.FunctionTestCase(main)      # what a Program belongs to: it ends with its test
    try:
        with open(os.devnull, "wb") as nowhere:
            program = Program(case, command=[sys.executable, ONE_FILE], stdout=nowhere, stderr=nowhere)
        return soaked(program, count)
    finally:
        case.doCleanups()


def soaked(program, count):
    """So many associations. Returns the exit status."""
    pid, chance, seeds, first = program.process.pid, random.Random(count), corpus(), None
    for number in range(1, count + 1):
        one(program.address, chance, seeds)
        if number == SETTLED:
            first = settled(pid)
            say(number, first)
    last = settled(pid)
    say(count, last)
    grown = first and (last[0] > first[0] + IDLE_THREADS or last[1] > first[1] + 2 or last[2] > first[2] * GROWTH)
    with Peer(program.address) as peer:
        alive = peer.associate()[:1] == b"\x02"
    print("GROWN" if grown else "nothing grew" if alive else "NO ANSWER")
    return int(bool(grown or not alive))


def say(count, figures_then):
    """A line of figures."""
    print("after %6d: %d threads, %d descriptors, %d kB" % ((count,) + figures_then))


def settled(pid):
    """The figures, once no association is open any more."""
    best = [figures(pid)]

    def quiet():
        best[0] = min(best[0], figures(pid), key=lambda each: each[1])
        return best[0][1] <= 12
    try:
        wait_until(quiet, "all sockets are closed", 40)
    except AssertionError:
        pass
    return figures(pid)


if __name__ == "__main__":
    socket.setdefaulttimeout(None)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000))
