"""Every way to start it, and everything that a stripped-down Python may lack."""
import os
import shutil
import sys
import unittest
import zipfile

from process import ENDED, POSIX, Program, alone, environment, folder, need_posix, run, without
from support import FORMS, ONE_FILE, PYPY, ROOT, both_forms, good_echo, skip_loudly
from wire import Peer, abort, associate_rq, context, echo_command, p_data, pdv

PY3 = sys.version_info[0] > 2
GOOD = ["I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
        "I: Association Released"]
# Flags that are given together; each row is a start.
FLAGS = [["-E", "-B", "-u"], ["-S", "-OO"], ["-O", "-Werror", "-bb" if PY3 else "-3"]]
FLAGS += [["-I"], ["-Xdev"]] if sys.version_info[:2] >= (3, 7) else []
ENVIRONMENTS = [{"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"},
                {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"}]
MISSING = ("argparse", "asyncio", "concurrent", "ctypes", "decimal", "difflib", "fcntl", "getopt", "hashlib", "json",
           "multiprocessing", "optparse", "pydicom", "queue", "Queue", "random", "resource", "ssl", "subprocess",
           "tempfile")
PYDICOM = '''
import io
with io.open(%r, "wb") as mark:
    mark.write(b"imported")
UID_dictionary = {"1.2.840.10008.1.99.1": ("A Name From This Package", "", "", "", "")}
'''


class Start(object):
    """A table of kinds of start; each answers an echo, says nothing but that, and ends by the signal."""

    def serves(self, *starts):
        """That programs started with these options of Program are as they should be."""
        programs = [Program(self, "-v", wait=not POSIX, **options) for options in starts]
        for program, options in zip(programs, starts):
            good_echo(program.address)
            status = program.end()
            self.assertEqual((status, program.out, program.err.splitlines()), (ENDED, "", GOOD), options)

    def test_with_each_flag_of_the_interpreter(self):
        rows = [row for row in FLAGS if self.dul.FORM == "one file" or row != ["-I"]]  # -I: not from the current folder
        self.serves(*[{"command": [sys.executable] + row + self.dul.COMMAND[1:]} for row in rows])

    def test_in_each_environment(self):
        self.serves(*[{"env": environment(**more)} for more in ENVIRONMENTS])

    def test_without_any_environment(self):
        need_posix("process without an environment")
        self.serves({"env": {}})

    def test_where_python_lacks_what_is_not_needed(self):
        self.serves({"command": without(self, *MISSING)})

    def test_without_socketserver_it_is_one_line_and_exit_status_1(self):
        status, out, err = run(self, ["11112"], command=without(self, "socketserver", "SocketServer"))
        self.assertEqual((status, out), (1, ""), err)
        words = "this Python has no module socketserver: install Debian's package libpython3-stdlib or its like\n"
        if self.dul.FORM == "one file":
            self.assertEqual(err, "echoscp.py: " + words)
        else:
            self.assertIn(words.strip(), err)

    def test_with_closed_standard_files(self):
        need_posix("shell that closes them")
        self.serves({"after": "<&-"}, {"after": "<&- >&-"})


class Place(unittest.TestCase):
    """Where the one file stands, and what it becomes part of."""

    dul = FORMS[-1]
    serves = Start.__dict__["serves"]

    def test_in_a_folder_that_cannot_be_written(self):
        path, name = alone(self)
        self.addCleanup(os.chmod, path, 0o700)
        os.chmod(path, 0o500)
        self.serves({"command": [sys.executable, name], "cwd": path})
        self.assertEqual(os.listdir(path), ["echoscp.py"])

    def test_in_a_path_with_a_space_and_an_umlaut(self):
        inner = b"with a space and \xc3\xa4\xc3\xb6\xc3\xbc".decode("utf-8")
        outer = folder(self)
        if PY3:
            if POSIX:
                inner = os.fsdecode(inner.encode("utf-8"))
        else:
            inner = inner.encode("utf-8" if POSIX else "mbcs")
        path = os.path.join(outer, inner)
        os.mkdir(path)
        shutil.copy(ONE_FILE, path)
        more = {"env": environment(LC_ALL="C")}
        self.serves(dict(more, command=[sys.executable, "echoscp.py"], cwd=path))
        empty = path + ".py"
        open(empty, "w").close()
        if PYPY and run(self, [], command=[sys.executable, empty], **more)[0]:
            skip_loudly("this PyPy runs no file at all at a path with an umlaut where the locale is C")
        self.serves(dict(more, command=[sys.executable, os.path.join(path, "echoscp.py")], cwd=outer))
        self.assertEqual(os.listdir(path), ["echoscp.py"])

    def test_by_another_name_and_by_a_link(self):
        path, name = alone(self)
        other = os.path.join(path, "echo")
        shutil.copy(name, other)
        names = [other]
        if POSIX:
            names.append(os.path.join(path, "link.py"))
            os.symlink(name, names[-1])
        self.serves(*[{"command": [sys.executable, each]} for each in names])

    def test_from_standard_input(self):
        need_posix("shell that opens it")
        self.serves({"command": [sys.executable, "-"], "after": "<'%s'" % ONE_FILE})

    def test_in_a_zip_as_its_main_module(self):
        path, starts = folder(self), []
        for number, members in enumerate(([(ONE_FILE, "__main__.py")],
                                          [(os.path.join(ROOT, "dul", each), "dul/" + each)
                                           for each in os.listdir(os.path.join(ROOT, "dul")) if each.endswith(".py")])):
            name = os.path.join(path, "%d.pyz" % number)
            with zipfile.ZipFile(name, "w") as target:
                for source, member in members:
                    target.write(source, member)
                if number:
                    target.writestr("__main__.py", "from dul.cli import main\nmain()\n")
            starts.append({"command": [sys.executable, name], "cwd": path})
        self.serves(*starts)


class Pydicom(unittest.TestCase):
    """A package pydicom beside the script: the one package that it looks for, and that once."""

    dul = FORMS[-1]

    def place(self, path):
        """Put a package there that leaves a mark where it is imported; returns the name of the mark."""
        mark = os.path.join(path, "mark")
        package = os.path.join(path, "pydicom")
        os.mkdir(package)
        for name, text in (("__init__.py", ""), ("uid.py", PYDICOM % mark)):
            with open(os.path.join(package, name), "w") as target:
                target.write(text)
        return mark

    def program(self):
        """(the folder of the one file, a function that starts it at debug)."""
        path, name = alone(self)
        return path, lambda: Program(self, "-d", command=[sys.executable, name], cwd=path)

    def associate(self, program):
        """A peer whose UIDs have names in no table of the program."""
        with Peer(program.address) as peer:
            peer.send(associate_rq([context(1), context(3, b"1.2.840.10008.1.99.1")])).pdu()
            peer.send(p_data(pdv(echo_command(sop_class=b"1.2.840.10008.1.99.2")))).pdu()
            peer.send(abort(0, 0)).finish()
        good_echo(program.address)
        program.saw("I: Association Released")
        self.assertEqual(program.end(), ENDED)

    def test_one_that_is_placed_there_after_the_start_is_not_imported_because_of_a_peer(self):
        path, start = self.program()
        program = start()
        mark = self.place(path)
        self.associate(program)
        self.assertFalse(os.path.exists(mark))
        self.assertNotIn("A Name From This Package", program.err)

    def test_one_that_is_there_before_names_uids(self):
        path, start = self.program()
        mark = self.place(path)
        program = start()
        self.assertTrue(os.path.exists(mark))       # at the start, and not when a peer comes
        self.associate(program)
        self.assertIn("A Name From This Package", program.err)

    def test_one_that_is_broken_is_as_none(self):
        path, start = self.program()
        self.place(path)
        for text in ("raise RuntimeError('broken')\n", "UID_dictionary = {'1.2': 5}\n"):
            with open(os.path.join(path, "pydicom", "uid.py"), "w") as target:
                target.write(text)
            program = start()
            good_echo(program.address)
            self.assertEqual(program.end(), ENDED)
            self.assertNotIn("Traceback", program.err)


both_forms(Start)

if __name__ == "__main__":
    unittest.main()
