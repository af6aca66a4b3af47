"""Sets up interpreter and processors for many threads that take turns, in a process that does nothing else.

Python runs one thread at a time. Each thread that waits for its turn asks for it once an interval, which thousands
of them do until there is time for nothing else; so the interval grows with their number.

When the threads that take turns sit on different processors, each turn is handed over between processors, which costs
more than an echo: on one processor, sixteen clients get three times as many answers. That must do no harm, so it is done
only while there is much to do and only where the other programs have room on the other processors; it ends as soon as
one of them wants this processor, and with the load. Linux alone has all that this needs.

There is no steward in a program that embeds EchoServer.
"""
import os

from dul.compat import ONE_THREAD_AT_A_TIME, monotonic, set_switch_interval

SHARE = 0.0002          # seconds between two threads that ask for their turn
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.005, 0.25       # seconds; the shorter one is the interpreter's own
FIRST_LOOK = 0.05       # seconds from the first sign of work until the first decision
LOOK = 0.25             # seconds between decisions while there is work
QUIET_LOOKS = 4         # looks without work after which it sleeps again
BUSY = 0.3              # of a processor: what this process uses when it is worth binding
QUIET = 0.03            # of a processor: what it uses when there is no work
INTRUSION = 0.2         # of our processor: what other programs may use of it
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 64.0  # seconds until binding is tried again after it had to be given up


def find_steward():
    """A Steward with the processors of this process, where there is a choice and this system has what it needs."""
    processors = set()
    if ONE_THREAD_AT_A_TIME:
        try:
            processors = os.sched_getaffinity(0)
            with open("/proc/stat") as stat:
                stat.readline()
            os.listdir("/proc/self/task")
        except (AttributeError, EnvironmentError):
            processors = set()
    return Steward(processors if len(processors) > 1 else set())


class Steward(object):
    """Decides on which processors the threads of this process may run, and how long one may keep the others waiting.

    :param processors: the set of processor numbers to choose from; empty: that is left to the system
    """

    def __init__(self, processors):
        self.processors = processors
        self.called = False     # somebody says that there is work; see EchoServer.busy()
        self.awake = False      # it looks at the load
        self.bound = None       # the processor that the threads are bound to
        self.pause = FIRST_PAUSE
        self.not_before = 0.0   # when binding may be tried again
        self.quiet = 0
        self.next_look = 0.0
        self.last = None        # (moment, seconds that this process used, {processor: seconds that it was busy})

    def crowd(self, threads):
        """There are so many handler threads now."""
        set_switch_interval(min(max(SHORTEST_INTERVAL, SHARE * threads), LONGEST_INTERVAL))

    def tick(self):
        """Look at the load, when it is time to, and act on it.

        To be called by the thread that starts all others, whenever it wakes.

        :returns: seconds until it wants to be called again; None: when there is work again
        """
        now = monotonic()
        if not self.called or not self.processors:
            return None
        if not self.awake:
            self.awake, self.last, self.next_look = True, None, now
        if now >= self.next_look:
            self.next_look = now + (LOOK if self.last else FIRST_LOOK)
            try:
                self.look(now)
            except (EnvironmentError, LookupError):     # out of descriptors, or the processor is gone: it does without
                self.last = None
        return max(0.001, self.next_look - now) if self.awake else None

    def look(self, now):
        """Decide."""
        before, self.last = self.last, measure(self.processors)
        elapsed = self.last[0] - before[0] if before else 0
        if elapsed <= 0:
            return
        ours = (self.last[1] - before[1]) / elapsed
        busy = {cpu: (self.last[2][cpu] - before[2][cpu]) / elapsed for cpu in self.processors}
        self.quiet = self.quiet + 1 if ours < QUIET else 0
        if self.quiet >= QUIET_LOOKS:
            self.bind(None)
            self.awake = self.called = False
        elif self.bound is not None:
            self.stay_or_go(now, ours, busy)
        elif ours > BUSY and now >= self.not_before and sum(busy.values()) - ours < len(busy) - 1:
            self.bind(min(busy, key=busy.get))

    def stay_or_go(self, now, ours, busy):
        """Bound: move, or give it up, where other programs use this processor too."""
        if busy[self.bound] - ours <= INTRUSION:
            self.pause = max(FIRST_PAUSE, self.pause / 2)
            return
        others = {cpu: share for cpu, share in busy.items() if cpu != self.bound}
        calmest = min(others, key=others.get)
        if others[calmest] <= INTRUSION:
            self.bind(calmest)
            return
        self.bind(None)
        self.not_before, self.pause = now + self.pause, min(LONGEST_PAUSE, self.pause * 2)

    def bind(self, processor):
        """Let the threads of this process run on one processor only, or on all again (None)."""
        if processor == self.bound:
            return
        mask = self.processors if processor is None else {processor}
        for task in os.listdir("/proc/self/task"):
            try:
                os.sched_setaffinity(int(task), mask)
            except EnvironmentError:    # the thread has ended
                pass
        self.bound = processor


def measure(processors):
    """(moment, seconds of processor time that this process has used, {processor: seconds that it has been busy})."""
    ticks = float(os.sysconf("SC_CLK_TCK"))
    busy = {}
    with open("/proc/stat") as stat:
        for line in stat:
            words = line.split()
            if words[0][:3] == "cpu" and words[0][3:].isdigit() and int(words[0][3:]) in processors:
                # user, nice, system, idle, iowait, irq, softirq, steal (proc(5)): all but idle and iowait
                busy[int(words[0][3:])] = sum([int(word) for word in words[1:4] + words[6:9]]) / ticks
    used = os.times()
    return monotonic(), used[0] + used[1], busy
