"""The benchmark runs. What it measures is no test."""
import os
import re
import socket
import subprocess
import sys
import unittest

import bench
from process import folder, free_port
from support import ONE_FILE, ROOT, skip_loudly

COLUMNS = ["floor", "echoscp", "floor pinned", "two instances"]


class Benchmark(unittest.TestCase):
    """A moment of it, with the load that needs no compiler."""

    def run_it(self, root, *arguments):
        """The lines that it prints, and what it says besides."""
        process = subprocess.Popen(
            [sys.executable, os.path.join(root, "tests", "bench.py"), "--seconds", "0.05", "--held", "0", "--rest", "0",
             "--starts", "1", "--python-load"] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        return out.decode().splitlines(), err.decode()

    def test_it_prints_a_table_with_the_floor_and_this_server_also_in_a_path_with_a_blank(self):
        root = ROOT
        if os.name == "posix":
            root = os.path.join(folder(self), "a path")
            os.symlink(ROOT, root)
        lines, err = self.run_it(root, "--rst", *COLUMNS)
        absent = re.search(r"Not here: (.*)", err)
        missing = absent.group(1).strip().split(", ") if absent else []
        there = [name for name in COLUMNS if name not in missing]
        self.assertIn(missing, ([], ["two instances"], COLUMNS[2:]))
        rule = lines[0]
        head = max(len(name.split()) for name in there) + 1     # a line for each word of the longest name, and the rule
        self.assertEqual([line.replace("=", "").strip() for line in (rule, lines[head], lines[-1])], [""] * 3)
        self.assertEqual(lines[1].split(), ["\\"] + [name.split()[0] for name in there])
        rows = dict((line[:rule.index(" ")].strip(), line[rule.index(" "):].split()) for line in lines[head + 1:-1])
        self.assertEqual(rows["failures"], ["0"] * len(there))
        self.assertEqual(len(rows["echoes/s, 16 clients"]), 2 * len(there))     # figures and ratios
        if sys.platform.startswith("linux"):
            self.assertIn("processor time of an echo, 16 clients, us", rows)


class Ports(unittest.TestCase):
    """Another program may have taken the port meanwhile."""

    def test_one_that_is_taken_is_left_to_its_owner(self):
        if not sys.platform.startswith("linux"):
            skip_loudly("this system does not tell who listens on a port")
        owner = socket.socket()
        self.addCleanup(owner.close)
        owner.bind(("", 0))
        owner.listen(100)
        self.addCleanup(setattr, bench, "free_port", bench.free_port)
        for name, program in (("floor", bench.FLOOR), ("echoscp", ONE_FILE)):
            for connecting in (False, True):
                ports = [owner.getsockname()[1], free_port()]
                last = ports[1]
                bench.free_port = lambda: ports.pop(0)
                with bench.serving(bench.Column(name, [sys.executable, program, "{}"]), connecting) as server:
                    self.assertEqual(server.port, last)


class Lock(unittest.TestCase):
    """The columns of a Python that can do without a global lock."""

    def test_it_is_measured_without_and_with_it(self):
        python = bench.free_threaded(None)
        if python is None:
            skip_loudly("there is no python3.13t")
        columns = dict((column.name, column) for column in bench.known_columns(python, sys.executable))
        for name, locked in (("echoscp free-threaded", b"False"), ("the same, locked", b"True")):
            command = columns[name].at(0, None)
            command[command.index(ONE_FILE):] = ["-c", "import sys; print(sys._is_gil_enabled())"]
            self.assertEqual(subprocess.check_output(command).strip(), locked)


class Table(unittest.TestCase):
    """The ratios."""

    def test_each_has_the_floor_of_its_kind(self):
        figures = [("floor", 10.0), ("x", 30.0), ("floor pinned", 5.0), ("x pinned", 10.0), ("floor again", 20.0)]
        text = bench.table([(bench.Column(name, []), {"a row": figure}) for name, figure in figures], False)
        self.assertEqual(text.splitlines()[-1].split(),
                         "a row 10.0 (0.67) 30.0 (2.00) 5.0 (1.00) 10.0 (2.00) 20.0 (1.33)".split())


if __name__ == "__main__":
    unittest.main()
