"""The house: the direction of the arrows, the rules of the one file, one version number."""
import ast
import io
import os
import re
import subprocess
import sys
import tokenize
import unittest

from support import ROOT, project

LONGEST_LINE = 130
LONGEST_MODULE = 450        # lines; "about 400"


def sources():
    """{module name: text} of dul/."""
    found = {}
    for name in sorted(os.listdir(os.path.join(ROOT, "dul"))):
        if name.endswith(".py"):
            found[name[:-3]] = project.read("dul", name)
    return found


def names_at_top(tree):
    """The names that a module defines."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        yield each.id


class OneFile(unittest.TestCase):
    """echoscp.py is what the command makes, and plain."""

    def test_it_is_byte_for_byte_what_the_command_makes(self):
        with io.open(project.ONE_FILE, "rb") as existing:
            self.assertEqual(existing.read(), project.one_file().encode("ascii"))

    def test_the_command_says_so_and_makes_nothing_else(self):
        self.assertEqual(subprocess.call([sys.executable, os.path.join(ROOT, "setup.py"), "onefile", "--check"]), 0)

    def test_it_has_one_banner_a_module_in_their_order(self):
        banners = re.findall(r"^# dul/(\w+)\.py:", project.one_file(), re.MULTILINE)
        self.assertEqual(banners, list(project.MODULES))

    def test_it_has_no_import_of_the_package_no_exec_and_no_payload(self):
        text = project.one_file()
        self.assertEqual(re.findall(r"^\s*(?:from dul|import dul)", text, re.MULTILINE), [])
        self.assertEqual(re.findall(r"\b(?:exec|eval|compile|__import__|b64decode|unhexlify|zlib|marshal)\b\s*\(", text), [])
        self.assertEqual(text.count("Permission is hereby granted"), 1)
        self.assertEqual(text.count("Do not edit it"), 1)


class House(unittest.TestCase):
    """Each module has its place."""

    def test_every_module_is_in_the_list(self):
        self.assertEqual(sorted(sources()), sorted(project.MODULES + ("__init__", "__main__")))

    def test_imports_point_only_upwards_and_have_the_one_form(self):
        for name, text in sources().items():
            if name in project.MODULES:
                above = project.MODULES[:project.MODULES.index(name)]
                for node in ast.walk(ast.parse(text)):
                    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dul":
                        self.assertIn(node.module.split(".")[1], above, name)
                        self.assertTrue(all(alias.asname is None for alias in node.names), name)
                        self.assertIn(node, ast.parse(text).body + [node])
                    elif isinstance(node, ast.Import):
                        self.assertTrue(all(not alias.name.startswith("dul") for alias in node.names), name)

    def test_top_level_names_are_unique(self):
        owner = {}
        for name in project.MODULES:
            for each in set(names_at_top(ast.parse(sources()[name]))):
                self.assertNotIn(each, owner, "%s and %s" % (name, owner.get(each)))
                owner[each] = name

    def test_only_compat_tests_the_version_or_the_platform(self):
        for name, text in sources().items():
            if name != "compat":
                self.assertEqual(re.findall(r"version_info|hexversion|sys\.platform|os\.name|\bPY2\b|python_version", text), [],
                                 name)

    def test_there_is_no_assert_and_no_sleep(self):
        for name, text in sources().items():
            tree = ast.parse(text)
            self.assertEqual([node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], [], name)
            self.assertNotIn("time.sleep", text, name)

    def test_files_stay_small_and_lines_short_and_ascii(self):
        tests = {each: project.read("tests", each) for each in os.listdir(os.path.join(ROOT, "tests")) if each[-3:] == ".py"}
        for name, text in list(sources().items()) + list(tests.items()):
            lines = text.splitlines()
            self.assertLessEqual(max([len(line) for line in lines] or [0]), LONGEST_LINE, name)
            self.assertEqual([line for line in lines if line != line.rstrip()], [], name)
            if name in project.MODULES:
                self.assertLessEqual(len(lines), LONGEST_MODULE, name)

    def test_every_public_thing_has_a_docstring(self):
        for name, text in sources().items():
            tree = ast.parse(text)
            self.assertTrue(ast.get_docstring(tree), name)
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                    self.assertTrue(ast.get_docstring(node), "%s.%s" % (name, node.name))

    def test_there_is_one_version_number(self):
        version = project.version()
        self.assertTrue(re.match(r"\d+\.\d+\.\d+$", version))
        owners = [name for name, text in sources().items() if version in text]
        self.assertEqual(owners, ["codes"])
        self.assertNotIn('"%s"' % version, project.read("setup.py"))

    def test_importing_does_no_work(self):
        script = ("import sys, socket, threading\n"
                  "def no(*a, **k): raise RuntimeError('work at import time')\n"
                  "socket.socket.bind = socket.socket.connect = threading.Thread.start = no\n"
                  "sys.path.insert(0, %r)\n"
                  "import %s\n"
                  "bad = [m for m in ('logging', 'pydicom', 'argparse', 'difflib', 'ssl') if m in sys.modules]\n"
                  "assert not bad and threading.active_count() == 1, bad\n")
        for module in ("dul.cli", "echoscp"):
            process = subprocess.Popen([sys.executable, "-S", "-c", script % (ROOT, module)], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            self.assertEqual((process.communicate()[0], process.returncode), (b"", 0))

    def test_comments_name_no_standard_section_that_is_none(self):
        for name, text in sources().items():
            reader = io.StringIO(text).readline
            for token in tokenize.generate_tokens(reader):
                for part in re.findall(r"PS3\.(\d+)", token[1]):
                    self.assertIn(part, ("2", "3", "5", "6", "7", "8", "15"), name)


if __name__ == "__main__":
    unittest.main()
