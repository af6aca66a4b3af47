"""The benchmark runs. What it measures is no test."""
import os
import subprocess
import sys
import unittest

from support import ONE_FILE, TESTS


class Benchmark(unittest.TestCase):
    """A moment of it, with the load that needs no compiler."""

    def test_it_prints_a_table_with_the_floor_and_this_server(self):
        printed = subprocess.check_output(
            [sys.executable, os.path.join(TESTS, "bench.py"), "--seconds", "0.05", "--held", "0", "--python-load",
             "floor=%s %s {}" % (sys.executable, os.path.join(TESTS, "bench_floor.py")),
             "echoscp=%s %s {}" % (sys.executable, ONE_FILE)]).decode()
        lines = printed.splitlines()
        self.assertEqual(lines[1].split(), ["floor", "echoscp"])
        self.assertTrue(any(line.startswith("echoes/s, 16 clients") for line in lines))
        failures = [line.split()[1:] for line in lines if line.startswith("failures")]
        self.assertEqual(failures, [["0.0", "0.0"]])


if __name__ == "__main__":
    unittest.main()
