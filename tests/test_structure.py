"""The structure: two halves, the direction of the imports, the rules of the one file, sizes, one version number."""
import ast
import dis
import io
import os
import re
import subprocess
import sys
import tokenize
import unittest

from support import ROOT, project

LONGEST_LINE = 130          # of dul/ and the tests; most have 120 at most
CACHED_NUMBER = 256         # the largest number that CPython does not allocate
LARGEST_FILE = 3700         # lines of echoscp.py
LARGEST_CLASS, MOST_ATTRIBUTES = 200, 15    # lines; both "about"
LARGEST_FUNCTION = 40       # lines
ABOUT = 1.15                # how far "about" goes
PROTOCOL = project.MODULES[:project.MODULES.index("compat")]
TREES = {}                  # what trees() returns
HOST_ONLY = ("socket", "threading", "time", "logging", "os", "sys", "select", "signal", "errno", "thread", "_thread")


def sources():
    """{module name: text} of dul/."""
    found = {}
    for name in sorted(os.listdir(os.path.join(ROOT, "dul"))):
        if name.endswith(".py"):
            found[name[:-3]] = project.read("dul", name)
    return found


def trees():
    """{module name: syntax tree} of dul/."""
    if not TREES:
        TREES.update((name, ast.parse(text)) for name, text in sources().items())
    return TREES


def functions(code, prefix=""):
    """(name with those of what is around it, code) of all functions and classes in a module's code."""
    for each in code.co_consts:
        if hasattr(each, "co_code"):
            yield prefix + each.co_name, each
            for inner in functions(each, prefix + each.co_name + "."):
                yield inner


def last_line(node):
    """The last line on which anything of a node begins."""
    return max([each.lineno for each in ast.walk(node) if hasattr(each, "lineno")])


def names_at_top(tree):
    """The names that a module defines."""
    for node in ast.walk(ast.Module(body=[each for each in tree.body if not isinstance(each, ast.ClassDef)], type_ignores=[])):
        if isinstance(node, ast.Assign) and node.col_offset == 0:
            for target in node.targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        yield each.id
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name


def attributes(tree):
    """The attributes of a class: what is assigned to self, and __slots__."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                found.add(node.attr)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__slots__":
            found.update(ast.literal_eval(node.value))
    return found


class OneFile(unittest.TestCase):
    """echoscp.py is what the command makes, and plain."""

    def test_it_is_byte_for_byte_what_the_command_makes(self):
        with io.open(project.ONE_FILE, "rb") as existing:
            self.assertEqual(existing.read(), project.one_file().encode("ascii"))

    def test_the_command_says_so_and_makes_nothing_else(self):
        self.assertEqual(subprocess.call([sys.executable, os.path.join(ROOT, "setup.py"), "onefile", "--check"]), 0)

    def test_it_has_one_banner_a_module_in_their_order(self):
        banners = re.findall(r"^# -+ dul/(\w+)\.py -+$", project.one_file(), re.MULTILINE)
        self.assertEqual(banners, list(project.MODULES))

    def test_it_has_no_import_of_the_package_no_exec_and_no_payload(self):
        text = project.one_file()
        self.assertEqual(re.findall(r"^\s*(?:from dul|import dul)", text, re.MULTILINE), [])
        self.assertEqual(re.findall(r"\b(?:exec|eval|compile|__import__|b64decode|unhexlify|zlib|marshal)\b\s*\(", text), [])
        self.assertEqual(text.count("Permission is hereby granted"), 1)
        self.assertEqual(text.count("Do not edit it"), 1)

    def test_it_is_short_enough_to_be_read(self):
        self.assertLessEqual(project.one_file().count("\n"), LARGEST_FILE)


class Modules(unittest.TestCase):
    """Each module has its place."""

    def test_every_module_is_in_the_list(self):
        self.assertEqual(sorted(sources()), sorted(project.MODULES + ("__init__", "__main__")))

    def test_the_package_lists_its_modules_in_their_order(self):
        listed = re.findall(r"\b[a-z]+\b(?=[,.])", ast.get_docstring(trees()["__init__"]).split("or log: ")[1])
        self.assertEqual([name for name in listed if name in project.MODULES], list(project.MODULES))

    def test_the_protocol_half_knows_no_socket_thread_clock_file_or_log(self):
        self.assertEqual(PROTOCOL[0], "codes")
        self.assertEqual(PROTOCOL[-1], "association")
        for name in PROTOCOL:
            for node in ast.walk(trees()[name]):
                imported = []
                if isinstance(node, ast.Import):
                    imported = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    imported = [node.module]
                for each in imported:
                    self.assertNotIn(each.split(".")[0], HOST_ONLY, name)
                    if each.startswith("dul"):
                        self.assertIn(each.split(".")[1], PROTOCOL, name)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    self.assertNotIn(node.func.id, ("open", "print", "__import__", "exec", "eval", "input"), name)

    def test_imports_point_only_upwards_and_have_the_one_form(self):
        for name, tree in trees().items():
            if name in project.MODULES:
                above = project.MODULES[:project.MODULES.index(name)]
                for node in ast.walk(tree):
                    if isinstance(node, ast.ImportFrom):
                        self.assertEqual(node.level, 0, name)
                        if node.module.split(".")[0] == "dul":
                            self.assertIn(node.module.split(".")[1], above, name)
                            self.assertEqual([alias.name for alias in node.names if alias.asname or alias.name == "*"], [], name)
                            self.assertEqual(node.col_offset, 0, name)
                    elif isinstance(node, ast.Import):
                        self.assertEqual([alias.name for alias in node.names if alias.name.startswith("dul")], [], name)

    def test_top_level_names_are_unique(self):
        owner = {}
        for name in project.MODULES:
            for each in set(names_at_top(trees()[name])):
                self.assertNotIn(each, owner, "%s and %s" % (name, owner.get(each)))
                owner[each] = name
        self.assertIn("EchoServer", owner)
        self.assertIn("KERNEL_TIMEOUTS", owner)

    def test_what_is_imported_is_used(self):
        for name, text in sources().items():
            for node in ast.walk(trees()[name]):
                if isinstance(node, (ast.Import, ast.ImportFrom)) and name not in ("__init__", "compat"):
                    for alias in node.names:
                        used = (alias.asname or alias.name).split(".")[0]
                        self.assertGreater(len(re.findall(r"\b%s\b" % used, text)), 1, "%s: %s" % (name, used))

    def test_only_compat_tests_the_version_or_the_platform(self):
        for name, text in sources().items():
            if name != "compat":
                self.assertEqual(re.findall(r"version_info|hexversion|sys\.platform|os\.name\b|\bPY2\b|python_version", text), [],
                                 name)
                if name not in ("text", "settings"):
                    self.assertEqual(re.findall(r"\bstr is bytes\b", text), [], name)

    def test_there_is_no_assert_and_no_sleep(self):
        for name, tree in trees().items():
            self.assertEqual([node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], [], name)
            found = re.findall(r"\btime\.sleep|import sleep", sources()[name])
            self.assertEqual(found, ["time.sleep"] if name == "log" else [], name)    # the writer's, out of memory
        for name in os.listdir(os.path.join(ROOT, "tests")):
            if name.startswith("test_"):
                self.assertEqual(re.findall(r"time\.sleep[(]", project.read("tests", name)), [], name)

    def test_nothing_is_written_that_python_2_6_cannot_read(self):
        for name, tree in trees().items():
            for node in ast.walk(tree):
                self.assertFalse(isinstance(node, (ast.SetComp, ast.DictComp, ast.Set)), "%s %s" % (
                    name, getattr(node, "lineno", "")))
                if isinstance(node, ast.With):
                    self.assertEqual(len(getattr(node, "items", [1])), 1, "%s %d" % (name, node.lineno))
                    self.assertFalse(len(node.body) == 1 and isinstance(node.body[0], ast.With), "%s %d" % (name, node.lineno))
                if isinstance(node, ast.Attribute):
                    self.assertNotEqual(node.attr, "format_map", name)
            self.assertEqual(re.findall(r"""["'][^"'\n]*\{\}[^"'\n]*["']\.format|\bf["']|\bu["']""", sources()[name]), [], name)


class Sizes(unittest.TestCase):
    """How large anything is."""

    def test_lines_are_short_and_ascii(self):
        tests = dict((each, project.read("tests", each)) for each in os.listdir(os.path.join(ROOT, "tests"))
                     if each.endswith(".py"))
        for name, text in list(sources().items()) + list(tests.items()):
            lines = text.splitlines()
            self.assertEqual([line for line in lines if len(line) > LONGEST_LINE], [], name)
            self.assertEqual([line for line in lines if line != line.rstrip()], [], name)
            self.assertTrue(text == "" or text.endswith("\n"), name)
            self.assertNotIn("\t", text, name)

    def test_classes_are_small(self):
        for name, tree in trees().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.assertLessEqual(last_line(node) - node.lineno, LARGEST_CLASS * ABOUT, "%s.%s" % (name, node.name))
                    self.assertLessEqual(len(attributes(node)), MOST_ATTRIBUTES * ABOUT, "%s.%s: %s" % (
                        name, node.name, sorted(attributes(node))))

    def test_functions_are_small(self):
        for name, tree in trees().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self.assertLessEqual(last_line(node) - node.lineno, LARGEST_FUNCTION * ABOUT, "%s.%s" % (name, node.name))

    @unittest.skipUnless(hasattr(dis, "_parse_exception_table"), "before Python 3.11 an exception has another way")
    def test_an_exception_needs_no_memory_but_at_the_start(self):
        """Far down in a function, CPython allocates a number to enter a handler; without memory it tries for ever."""
        at_the_start = set(["EchoServer.open", "handed_over", "main", "serve", "log_by_file", "hint"])
        code = compile(project.read("echoscp.py"), "echoscp.py", "exec")
        far, seen = set(), 0
        for name, function in functions(code):
            seen += 1
            if [entry for entry in dis._parse_exception_table(function) if entry.lasti and entry.end // 2 > CACHED_NUMBER]:
                far.add(name)
        self.assertGreater(seen, 300)
        self.assertEqual(far - at_the_start, set())


class Words(unittest.TestCase):
    """What stands in comments and docstrings."""

    def test_every_public_thing_has_a_docstring(self):
        for name, tree in trees().items():
            self.assertTrue(ast.get_docstring(tree), name)
            for node in tree.body + [each for outer in tree.body if isinstance(outer, ast.ClassDef) for each in outer.body]:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                    self.assertTrue(ast.get_docstring(node), "%s.%s" % (name, node.name))

    def test_names_are_those_of_the_field(self):
        for name, tree in trees().items():
            for node in ast.walk(tree):
                defined = getattr(node, "name", None) if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else None
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    defined = node.attr
                self.assertNotIn((defined or "").lower(), (
                    "house", "crowd", "hurry", "ring", "bell", "take", "grant", "wish", "odd", "happen", "whoever",
                    "nobody"), name)

    def test_there_is_one_version_number(self):
        version = project.version()
        self.assertTrue(re.match(r"\d+\.\d+\.\d+$", version))
        owners = [name for name, text in sources().items() if version in text]
        self.assertEqual(owners, ["codes"])
        self.assertNotIn('"%s"' % version, project.read("setup.py"))

    def test_comments_name_no_part_of_the_standard_that_is_none(self):
        for name, text in sources().items():
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                for part in re.findall(r"PS3\.(\d+)", token[1]):
                    self.assertIn(part, ("2", "3", "5", "6", "7", "8", "15"), name)


class Imports(unittest.TestCase):
    """What importing does."""

    def test_importing_does_no_work(self):
        script = ("import sys, socket, threading, signal\n"
                  "def no(*a, **k): raise RuntimeError('work at import time')\n"
                  "socket.socket.bind = socket.socket.connect = threading.Thread.start = signal.signal = no\n"
                  "sys.path.insert(0, %r)\n"
                  "import %s\n"
                  "bad = [m for m in ('logging', 'pydicom', 'argparse', 'difflib', 'ssl') if m in sys.modules]\n"
                  "assert not bad and threading.active_count() == 1, bad\n")
        for module in ("dul.cli", "echoscp"):
            process = subprocess.Popen([sys.executable, "-S", "-c", script % (ROOT, module)], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            self.assertEqual((process.communicate()[0], process.returncode), (b"", 0))

    def test_the_protocol_half_runs_without_the_modules_that_it_must_not_know(self):
        names = ", ".join(["dul." + name for name in PROTOCOL])
        script = ("import sys\n"
                  "import collections, struct\n"
                  "sys.path.insert(0, %r)\n"
                  "import types\n"
                  "package = types.ModuleType('dul')\n"
                  "package.__path__ = [%r]\n"
                  "sys.modules['dul'] = package\n"
                  "for name in ('socket', 'threading', 'logging', 'select', 'signal', '_socket'):\n"
                  "    sys.modules[name] = None\n"
                  "import %s\n"
                  "for name in ('socket', 'threading', 'logging', 'select', 'signal', '_socket'):\n"
                  "    del sys.modules[name]\n" % (ROOT, os.path.join(ROOT, "dul"), names))
        process = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((process.communicate()[0], process.returncode), (b"", 0))


if __name__ == "__main__":
    unittest.main()
