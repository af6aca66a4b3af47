"""The one file gives back the memory that compiling it took: the script ends, its server goes on in a thread.

CPython keeps the syntax tree of a script, of this one a quarter of all its memory, until the script has ended; the
interpreter then waits for each thread that is no daemon. glibc keeps what was freed until it is told to trim.
"""
import os
import signal
import sys
import threading

from dul.compat import KEEPS_SYNTAX_TREE, SIGNALS, on_glibc


def outlive_script(serve):
    """Call ``serve``, where it saves memory in a thread that goes on when the script has ended.

    :param serve: a function that ends the process, by itself or by a signal to the main thread
    """
    trimmer = threading.Thread(target=_trim, name="trim")
    trimmer.daemon = True
    server = threading.Thread(target=_serve_on, args=(serve,), name="echoscp")
    started = False
    if KEEPS_SYNTAX_TREE and on_glibc():
        # The interpreter handles signals in the main thread alone, and only a signal of its own wakes that from now on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            trimmer.start()
            server.start()
            started = True
        except RuntimeError:    # no thread to be had now: the server waits for some, in this one
            pass
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if not started:
        serve()


def _serve_on(serve):
    try:
        serve()
        threading.Event().wait()    # for the main thread to end the process by its signal
    except Exception:   # the interpreter would exit as if all were well
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _trim():
    threading.main_thread().join()      # until the script has ended
    try:
        import ctypes
        ctypes.CDLL(None).malloc_trim(0)
    except Exception:   # no ctypes, or it is forbidden here: the memory stays ours
        pass
