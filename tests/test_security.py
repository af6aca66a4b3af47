"""docs/SECURITY.rst says what the program touches: no more, and no less.

What must stand in the tables of the page is derived from the syntax tree of echoscp.py; what the program opens and
connects to is watched with strace.

    python tests/test_security.py --write       bring line ranges and values of constants in the page up to date
"""
import ast
import io
import os
import platform
import re
import signal
import subprocess
import sys
import sysconfig
import unittest

from process import Program, alone, folder, need_posix, run
from support import FORMS, PYPY, ROOT, both_forms, project, skip_loudly
from wire import (
    CT_IMAGE, RELEASE_RQ, Peer, associate_rq, context, echo_command, echo_rq, item, p_data, pdv, user_information)

PAGE = os.path.join(ROOT, "docs", "SECURITY.rst")
LONGEST_PAGE = 200      # lines
START = "start"         # how the page names what is done when the file is read
COMPUTES = ("collections", "struct")        # modules whose calls touch nothing
# Of a socket, whatever its name; get_request() is socketserver's accept()
METHODS = ("bind", "listen", "accept", "connect", "connect_ex", "sendto", "sendmsg", "setsockopt", "get_request")
# Calls that have no effect outside the process, and read nothing there
INSIDE = ("signals.getsignal", "signal.getsignal", "get_ident", "os.getpid", "os.times", "os.sched_param", "sys.exc_info",
          "sys.exit", "sys.modules.get", "sys.platform.startswith", "threading.Condition", "threading.Event", "threading.Lock",
          "socket.error", "socket.timeout", "logging.Formatter", "logging.Handler", "logging.getLogger",
          "warnings.catch_warnings", "warnings.simplefilter", "difflib.get_close_matches", "UID_dictionary.items")
NOT_THERE = ("eval", "exec", "execfile", "compile", "__import__", "input", "raw_input", "breakpoint", "globals", "vars")
# Numbers that are no bounds; of dul/codes.py the bounds are those below, the others are the standard's numbers.
NO_BOUNDS = ("FIRST", "SECOND", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "SERVER_NAME", "SUPPORTED_VERSIONS",
             "FIRST_FD", "SO_DOMAIN", "NEVER_ALL", "FAILURE", "REFUSED",
             "SILENT")
# What the C library reads on its own account, when threads begin and end, and for the times of a log format of the site
C_LIBRARY = ("/sys/devices/system/cpu/online", "/proc/sys/vm/overcommit_memory", "/etc/ld.so.cache", "libgcc_s.so.1",
             "/etc/localtime")
MANY = 140              # connections at once: more than the handlers that stay
CODES_PARAGRAPHS = ("# Sizes in bytes", "# Limits of this implementation")


def dotted(node):
    """``a.b.c`` of a name or an attribute; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return owner and owner + "." + node.attr
    return None


class Derived(ast.NodeVisitor):
    """What the source of the program uses.

    :ivar imports: set of (function, module)
    :ivar calls: set of (function, call) where the call is one of an imported module, of open(), or of a socket
    :ivar signals, environment, limits, topics: sets of names
    :ivar bounds: {name: value}
    """

    def __init__(self, text, values):
        self.text, self.values = text, values
        self.imports, self.calls, self.bounds, self.roots = set(), set(), {}, {"open"}
        self.signals, self.environment, self.limits, self.topics, self.not_there = set(), set(), set(), set(), set()
        self.inside = []
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.roots.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        self.visit(tree)
        self.constants(tree.body)

    @property
    def where(self):
        return ".".join(self.inside) or START

    def nested(self, node):
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()

    visit_FunctionDef = nested

    def visit_ClassDef(self, node):
        for each in node.body:      # request_queue_size
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                self.bound(each.targets[0].id, getattr(getattr(self.values, node.name), each.targets[0].id))
            elif isinstance(each, ast.FunctionDef) and node.name == "Settings" and each.name == "__init__":
                defaults = each.args.defaults
                for argument, default in zip(each.args.args[-len(defaults):], defaults):
                    self.bound(getattr(argument, "arg", None) or argument.id, number_in(default))
        self.nested(node)

    def visit_Import(self, node):
        self.imports.update((self.where, alias.name) for alias in node.names)

    def visit_ImportFrom(self, node):
        self.imports.add((self.where, node.module))

    def visit_Call(self, node):
        name = dotted(node.func)
        if name in NOT_THERE:
            self.not_there.add(name)
        if name and name.split(".")[0] in self.roots and name.split(".")[0] not in COMPUTES:
            self.calls.add((self.where, name))
        elif isinstance(node.func, ast.Attribute):
            owner, method = dotted(node.func.value), node.func.attr
            if method in METHODS and owner != "self":
                self.calls.add((self.where, "." + method))
            if method == "pressure":
                self.topics.add(string(node.args[0]))
            if owner in ("environ", "os.environ") and method in ("get", "pop", "setdefault"):
                self.environment.add(string(node.args[0]))
        if name == "os.getenv":
            self.environment.add(string(node.args[0]))
        self.generic_visit(node)

    def visit_Subscript(self, node):
        if dotted(node.value) in ("environ", "os.environ"):
            self.environment.add(string(node.slice.value if type(node.slice).__name__ == "Index" else node.slice))
        self.generic_visit(node)

    def visit_Attribute(self, node):
        name = dotted(node) or ""
        self.name_of_system(name.split(".")[-1])
        self.generic_visit(node)

    def generic_visit(self, node):
        if string(node):
            self.name_of_system(string(node))
        ast.NodeVisitor.generic_visit(self, node)

    def name_of_system(self, name):
        if re.match(r"SIG[A-Z0-9]+$", name):
            self.signals.add(name)
        if name.startswith("RLIMIT_"):
            self.limits.add(name)

    def bound(self, name, value):
        if type(value) in (int, float) or type(value).__name__ == "long":
            self.bounds[name] = value

    def constants(self, body):
        """Numbers at module level, without those that are no bounds."""
        lines, module, paragraph = self.text.splitlines(), "", ""
        marks = {}
        for number, line in enumerate(lines, 1):
            banner = re.match(r"# ---- dul/(\w+)\.py ", line)
            module = banner.group(1) if banner else module
            if line.startswith("# "):
                paragraph = line
            elif not line:
                paragraph = ""
            marks[number] = module, paragraph
        for node in body:
            for target in getattr(node, "targets", ()):
                for each in ast.walk(target):
                    if isinstance(each, ast.Name) and each.id.isupper() and each.id not in NO_BOUNDS:
                        module, paragraph = marks[node.lineno]
                        if isinstance(node.value, ast.IfExp):       # on one platform alone
                            self.bound(each.id, number_in(node.value.body))
                        elif module != "codes" or paragraph.startswith(CODES_PARAGRAPHS):
                            self.bound(each.id, getattr(self.values, each.id))


def string(node):
    """The text of a string constant, or None."""
    value = getattr(node, "s", None) if type(node).__name__ == "Str" else (
        node.value if type(node).__name__ == "Constant" else None)
    return value if isinstance(value, str) else None


def number_in(node):
    """The value of a number, or None."""
    return node.n if type(node).__name__ == "Num" else node.value if type(node).__name__ == "Constant" else None


def page():
    """The text of the page."""
    with io.open(PAGE, encoding="ascii") as source:
        return source.read()


def sections(text):
    """{title: text} of the page."""
    parts = re.split(r"^(.+)\n([=-])\2{3,}\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::3], parts[3::3]))


def pairs(text):
    """The (function, name) that ````function: name, name```` stands for."""
    found = re.findall(r"``([\w.]+): ([^`]+)``", text)
    return set((where, name) for where, names in found for name in names.split(", "))


def bounds(text):
    """{name: value} of ````name = value````."""
    return dict((name, float(value)) for name, value in re.findall(r"``(\w+) = ([\d.]+)``", text))


def line_ranges(text):
    """{module: (first line, last line)} of echoscp.py."""
    lines = text.splitlines()
    starts = [(number, re.match(r"# ---- dul/(\w+)\.py ", line).group(1))
              for number, line in enumerate(lines, 1) if line.startswith("# ---- dul/")]
    ends = [number - 1 for number, _ in starts[1:]] + [len(lines)]
    return dict((name, (start, end)) for (start, name), end in zip(starts, ends))


def up_to_date(text):
    """The page with the line ranges and the values of echoscp.py as it is."""
    source = project.read("echoscp.py")
    ranges, values = line_ranges(source), Derived(source, FORMS[-1]).bounds
    text = re.sub(r"(``dul/(\w+)\.py`` +)\d+-\d+",
                  lambda found: found.group(1) + "%d-%d" % ranges[found.group(2)], text)
    return re.sub(r"``(\w+) = ([\d.]+)``", lambda found: "``%s = %s``" % (
        found.group(1), values.get(found.group(1), found.group(2))), text)


class Page(unittest.TestCase):
    """The tables name what the source uses, and nothing else."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.derived = Derived(project.read("echoscp.py"), FORMS[-1])
        cls.text = page()
        cls.sections = sections(cls.text)

    def test_every_import_and_when(self):
        self.assertEqual(pairs(self.sections["Imports"]), self.derived.imports)

    def test_every_call_of_the_system_and_its_function(self):
        named = set()
        for title, text in self.sections.items():
            if title != "Imports":
                named |= pairs(text)
        self.assertEqual(named, set(each for each in self.derived.calls if each[1] not in INSIDE))
        self.assertEqual(set(INSIDE) - set(name for _, name in self.derived.calls), set())

    def test_nothing_evaluates_text_as_code(self):
        self.assertEqual(self.derived.not_there, set())

    def test_every_signal(self):
        named = set(re.findall(r"\bSIG[A-Z0-9]+\b", self.sections["What it touches"]))
        self.assertEqual(named - {"SIGPIPE", "SIGXFSZ"}, self.derived.signals)     # those two are Python's own doing

    def test_every_environment_variable(self):
        self.assertEqual(set(re.findall(r"``((?:LISTEN|NOTIFY)_\w+)``", self.sections["What it touches"])),
                         self.derived.environment)

    def test_every_resource_limit(self):
        self.assertEqual(set(re.findall(r"\bRLIMIT_\w+", self.text)), self.derived.limits)

    def test_every_bound_and_its_value(self):
        found, due = bounds(self.sections["Bounds"]), self.derived.bounds
        self.assertEqual([set(found) - set(due), set(due) - set(found)], [set(), set()])
        self.assertEqual([name for name in due if due[name] != found[name]], [])
        self.assertEqual([name for name in NO_BOUNDS if not hasattr(FORMS[-1], name)], [])

    def test_every_topic_that_is_told_once_a_minute(self):
        found = re.search(r"once a minute each: (.+?)\.", " ".join(self.text.split())).group(1)
        self.assertEqual(set(re.findall(r"``(\w+)``", found)), self.derived.topics)

    def test_the_lines_to_read_first_are_these_lines(self):
        self.assertGreaterEqual(len(re.findall(r"``dul/\w+\.py`` +\d+-\d+", self.text)), 6)
        stale = [old for old, new in zip(self.text.splitlines(), up_to_date(self.text).splitlines()) if old != new]
        self.assertEqual(stale, [], "bring it up to date with: python tests/test_security.py --write")

    def test_it_is_one_page_of_short_lines(self):
        lines = self.text.splitlines()
        self.assertLessEqual(len(lines), LONGEST_PAGE)
        self.assertLessEqual(max(len(line) for line in lines), 120)

    def test_what_the_c_library_reads_is_named(self):
        self.assertEqual([name for name in C_LIBRARY if "``%s``" % name not in self.sections["What it touches"]], [])

    def test_what_is_missing_or_no_longer_used_is_found(self):
        """The derivation itself: each kind of thing, in a program of a few lines."""
        class Values(object):
            LIMIT = 7

            class Settings(object):
                queue = 3
        text = ("import os, socket\nLIMIT = 7\n"
                "class Settings:\n    queue = 3\n    def __init__(self, port=0, host=''):\n"
                "        import resource as r\n        r.setrlimit(r.RLIMIT_CORE, (0, 0))\n"
                "def f(sock, environ):\n    sock.connect(os.environ['A'], environ.get('B'), os.getenv('C'))\n"
                "    open('x'); os.system('x'); eval('x'); signals = 'SIGUSR1'\n    self.log.pressure('topic', 'x')\n")
        found = Derived(text, Values)
        self.assertEqual(found.imports, {(START, "os"), (START, "socket"), ("Settings.__init__", "resource")})
        self.assertEqual(found.calls, {("f", ".connect"), ("f", "os.getenv"), ("f", "open"), ("f", "os.system"),
                                       ("Settings.__init__", "r.setrlimit")})
        self.assertEqual((found.environment, found.signals, found.limits, found.topics, found.not_there),
                         ({"A", "B", "C"}, {"SIGUSR1"}, {"RLIMIT_CORE"}, {"topic"}, {"eval"}))
        self.assertEqual(found.bounds, {"LIMIT": 7, "queue": 3, "port": 0})


class Promises(object):
    """What the page says of memory and of modules."""

    def test_what_is_remembered_of_requests(self):
        dul = self.dul
        negotiator = dul.Negotiator(dul.Settings())
        identity = item(0x58, b"\x01\0\0\x04user\0\0")
        for left_out in (associate_rq(user=user_information(identity)), associate_rq(extra=item(0x77, b"?")),
                         associate_rq(user=user_information(item(0x77, b"?"))),
                         associate_rq([context() + item(0x20, b"\x03\0\0\0" + context()[8:] + item(0x77, b"?"))]),
                         associate_rq(user=user_information(item(0x56, b"\0\x031.2" + b"x" * 1000)))):
            negotiator.decide(left_out)
            self.assertEqual(len(negotiator.remembered), 0, left_out)
        for number in range(3 * dul.MOST_REMEMBERED):
            negotiator.decide(associate_rq(calling=("PEER%d" % number).encode("ascii")))
            self.assertLessEqual(len(negotiator.remembered), dul.MOST_REMEMBERED)
        self.assertLessEqual(max(len(data) for data in negotiator.remembered), dul.LARGEST_REMEMBERED)

    def test_an_unfinished_command_set_takes_the_memory_of_its_bytes(self):
        service = self.dul.EchoService([1], 0, {})
        for fragment in [b"\0\0"] * (self.dul.LARGEST_COMMAND_SET // 2):
            service.add(self.dul.PDV(1, 1, fragment))
        size = sys.getsizeof(service.fragments) if hasattr(sys, "getsizeof") and not PYPY else 0
        self.assertLessEqual(size, 2 * self.dul.LARGEST_COMMAND_SET)
        self.assertEqual(self.dul.EchoService([1], 0, {}).add(self.dul.PDV(1, 3, echo_command())), echo_command())


both_forms(Promises)


class Path(unittest.TestCase):
    """Where Python looks for modules, as the page says it."""

    def said(self, module, *options):
        """What a module of this name beside the file says, with these options of Python."""
        path, script = alone(self)
        name = os.path.join(path, module)
        with io.open(name, "w") as other:
            other.write(u"import sys\nsys.stdout.write('beside the file')\nsys.exit(7)\n")
        return run(self, [script, "--version"], command=[sys.executable] + list(options))[1]

    def test_the_folder_of_the_script_comes_first_and_isolated_mode_leaves_it_out(self):
        name = "socketserver.py" if sys.version_info[0] > 2 else "SocketServer.py"
        for options in ((), ("-E",), ("-S",), ("-s",)):
            self.assertEqual(self.said(name, *options), "beside the file", options)
        if sys.version_info < (3, 4):
            skip_loudly("python -I came with 3.4")
        self.assertIn("echoscp.py v", self.said(name, "-I"))
        if sys.version_info >= (3, 11):
            self.assertIn("echoscp.py v", self.said(name, "-P"))

    def test_S_leaves_out_installed_packages_but_not_the_folder(self):
        code = "import sys; print([p for p in sys.path if p.endswith('-packages')])"
        self.assertEqual(run(self, ["-S", "-c", code], command=[sys.executable])[1].strip(), "[]")


class Call(object):
    """A line of strace: the system call, its arguments, its path, and whether it is not known to have failed."""

    def __init__(self, line):
        self.line = line
        found = re.match(r"\d+ +(\w+)\((.*)", line)
        self.name, self.arguments = found.groups() if found else ("", line)
        self.done = not re.search(r"\) += -1 E", line)
        path = re.search(r'"([^"]*)"', self.arguments)
        self.path = path.group(1) if path else None
        self.writes = bool(re.search(r"O_(?:WRONLY|RDWR|CREAT)", self.arguments))


def strace(arguments, trace, **options):
    """The start of a command line that traces another into a file; skips where that cannot be had."""
    need_posix("strace")
    if platform.python_implementation() != "CPython":
        skip_loudly("what this Python opens by itself is not known")
    command_line = ["strace", "-f", "-o", trace, "-e",
                    "trace=file,process,socket,socketpair,connect,bind,accept,accept4,kill,sendto,sendmsg"]
    try:
        with open(os.devnull, "w") as nothing:
            if subprocess.call(command_line + ["true"], stdout=nothing, stderr=nothing) == 0:
                return command_line + arguments
    except OSError:
        pass
    skip_loudly("strace is not there, or may not trace")


class Watched(unittest.TestCase):
    """The program under strace: what it opens, connects to and starts, before its peers and because of them."""

    def watch(self, options=(), shell=None, cwd=None, many=1):
        """Serve good and bad peers. Returns (calls before the first accept, calls after it)."""
        path, self.script = alone(self)
        trace = os.path.join(path, "trace")
        line = [sys.executable, "-B", "-S", self.script]
        if shell:
            line = ["/bin/sh", "-c", shell, "sh"] + line
        program = Program(self, list(options), command=strace(line, trace), own=True, cwd=cwd or path)
        found = self.calls(trace)
        begun = [number for number, each in enumerate(found) if each.name == "execve" and each.done][-1]
        self.pid = int(found[begun].line.split()[0])
        self.addCleanup(self.kill)      # what strace traced outlives it
        self.peers(program.address, many)
        os.kill(self.pid, signal.SIGTERM)
        program.end(None)
        found = self.calls(trace)
        first = [number for number, each in enumerate(found) if each.name.startswith("accept")][0]
        return found[begun + 1:first], found[first:]

    def kill(self):
        """Whatever happens."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass

    def calls(self, name):
        """The Calls of a file that strace wrote, each where it began."""
        lines, begun = [], {}
        for line in self.read(name).splitlines():
            pid, _, rest = line.partition(" ")
            resumed = re.match(r" *<\.\.\. \w+ resumed>(.*)", rest)
            if resumed and pid in begun:
                lines[begun.pop(pid)] += resumed.group(1)
                continue
            if rest.endswith("<unfinished ...>"):       # another thread's comes before its result
                begun[pid] = len(lines)
                line = line.replace("<unfinished ...>", "")
            lines.append(line)
        return [Call(each) for each in lines]

    @staticmethod
    def read(name):
        with io.open(name, encoding="utf-8", errors="replace") as source:
            return source.read()

    @staticmethod
    def peers(address, count):
        """What peers do, good and bad."""
        many = [Peer(address) for _ in range(count)]
        for peer in many:
            peer.associate()
        for peer in many:
            peer.close()
        with Peer(address) as peer:
            peer.associate()
            peer.send(echo_rq()).pdu()
            peer.send(RELEASE_RQ).pdu()
        unknown = [context(2 * number + 1, ("1.2.3.%d" % number).encode("ascii")) for number in range(100)]
        identity = user_information(item(0x58, b"\x02\x01\0\x04user\0\x04pass"))
        other = echo_command(sop_class=CT_IMAGE)
        for data in (b"\x16\x03\x01\0\xf4\x01\0\0\xf0\x03\x03" + b"r" * 99, b"GET / HTTP/1.1\r\n\r\n", b"\x99\x98", b"",
                     associate_rq(extra=item(0x20, b"x")), associate_rq(extra=b"\x10\0\xff\xff"), associate_rq(unknown),
                     associate_rq(application=b"1.2.3"), associate_rq(version=2), associate_rq()[:50],
                     associate_rq(user=identity) + p_data(pdv(other)),
                     associate_rq(called=b"\xff\x1b[2J%s%n", calling=b"\\\0") + p_data(pdv(b"\xff" * 30)),
                     associate_rq() + p_data(pdv(echo_command(field=1))), associate_rq() + p_data(pdv(b"", 3))):
            with Peer(address) as peer:
                peer.send(data)
                peer.finish()

    def check(self, before, after, opens, log=None):
        """Before the first accept these files beside Python's own, and nothing else; after it nothing at all.

        :param opens: paths
        :param log: the file of a handler that the site has chosen
        """
        own, library = self.pythons_own(), tuple(os.path.realpath(sysconfig.get_paths()[name])
                                                 for name in ("stdlib", "platstdlib"))
        opened = set(each.path for each in before if each.name.startswith("open") and each.done) - own
        modules = set(path for path in opened if path.startswith(library) or ".so" in path or os.path.isdir(path))
        self.assertEqual(sorted(opened - modules), sorted(opens + [self.script]))
        made = ("connect", "execve", "fork", "vfork", "unlink", "mkdir", "rename", "kill")
        self.assertEqual([each.line for each in before if each.name in made and each.done], [])
        streams = [each for each in before if re.match(r"AF_INET6?, SOCK_STREAM", each.arguments)]
        others = [each for each in before + after if each.name == "socket" and each not in streams]
        self.assertEqual(["AF_UNIX, SOCK_DGRAM" in each.arguments for each in others], [True, True])
        self.assertEqual(len([each for each in before if each.name == "bind" and each.done]), 1)
        allowed = ("accept", "accept4", "sendto", "clone", "clone3", "exit", "exit_group", "kill", "")
        by_libc = [each for each in after if each.path is not None and not each.writes
                   and (each.path.endswith(C_LIBRARY) or re.match(r'\d+, ""', each.arguments))]
        rest = [each for each in after if each.name not in allowed and each not in others + by_libc]
        self.assertEqual([each.line for each in rest if log is None or each.path != log], [])
        cloned = [each for each in after if each.name.startswith("clone")]
        self.assertEqual([each.line for each in cloned if "THREAD" not in each.line and "flags=" in each.line], [])
        self.assertEqual(len([each for each in before + after if "sa_family=AF_UNIX" in each.line]), 2)
        self.assertEqual([each.arguments.split(",")[0] for each in after if each.name == "kill"], [str(self.pid)])

    def pythons_own(self):
        """What Python opens by itself, with the modules that the page names."""
        trace = os.path.join(folder(self), "trace")
        imports = Derived(project.read("echoscp.py"), FORMS[-1]).imports
        code = "import " + ", ".join(sorted(name for where, name in imports if where == START and name in sys.modules))
        subprocess.check_call(strace([sys.executable, "-B", "-S", "-c", code], trace))
        return set(each.path for each in self.calls(trace))

    def test_by_default(self):
        before, after = self.watch(many=MANY)
        self.check(before, after, ["/proc/self/status"])

    def test_at_debug(self):
        before, after = self.watch(["-d"])
        self.check(before, after, ["/proc/self/status"])
        self.assertEqual([each.line for each in before + after if each.writes], [])

    def test_with_standard_input_closed(self):
        before, after = self.watch(shell='exec "$@" <&-')
        self.check(before, after, ["/dev/null", "/proc/self/status"])

    def test_with_a_logging_configuration(self):
        path = folder(self)
        with io.open(os.path.join(path, "log.ini"), "w") as target:
            target.write(project.read("docs", "logging.ini"))
        log = os.path.join(os.path.realpath(path), "echoscp.log")
        before, after = self.watch(["-lc", "log.ini"], cwd=path)
        self.check(before, after, [log, "/proc/self/status", "log.ini"], log)
        self.assertEqual(set(each.path for each in before + after if each.writes), {log})


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        newer = up_to_date(page())
        with io.open(PAGE, "w", encoding="ascii", newline="\n") as target:
            target.write(newer)
    else:
        unittest.main()
