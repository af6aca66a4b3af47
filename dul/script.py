"""The one file gives back the memory that compiling it took: the script ends, its server goes on in a thread.

CPython keeps the syntax tree of a script, of this one a quarter of all its memory, until the script has ended; the
interpreter then waits for each thread that is no daemon. glibc keeps what was freed until it is told to trim.
"""
import os
import signal
import sys
import threading

from dul.compat import KEEPS_SYNTAX_TREE, ending_signals, on_glibc


def outlive_script(serve, stop):
    """Where it saves memory, have ``serve`` go on in a thread when the script has ended.

    :param serve: a function that ends the process
    :param stop: called with the number of each signal that comes, in another thread
    :returns: whether it does
    """
    if not (KEEPS_SYNTAX_TREE and on_glibc()):
        return False
    # The interpreter runs signal handlers in the main thread alone, which is about to wait for good. So no thread gets
    # these signals (each inherits the mask of the one that starts it), and one waits for them.
    numbers = ending_signals()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    watcher = threading.Thread(target=_watch, args=(numbers, stop), name="signals")
    watcher.daemon = True
    try:
        watcher.start()
        threading.Thread(target=_serve_on, args=(serve,), name="echoscp").start()
        return True
    except RuntimeError:    # no thread to be had now: the server waits for some, in this one
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return False


def _serve_on(serve):
    try:
        serve()
    except Exception:   # the interpreter would exit as if all were well
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _watch(numbers, stop):
    threading.main_thread().join()      # until the script has ended
    try:
        import ctypes
        ctypes.CDLL(None).malloc_trim(0)
    except Exception:   # no ctypes, or it is forbidden here: the memory stays ours
        pass
    while True:
        stop(signal.sigwait(numbers))
