"""Packaging, and the commands that make files from the sources.

    python setup.py onefile             write echoscp.py from dul/
    python setup.py manpage             write docs/echoscp.1 from the option table and README's table of diagnoses
    python setup.py states              write docs/states.svg from dul/fsm.py; needs graphviz

With --check each only compares, and exits with status 1 where the file is stale. These commands need no setuptools; all
others do.
"""
import gzip
import hashlib
import io
import os
import re
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
ONE_FILE = os.path.join(HERE, "echoscp.py")

# The modules of dul/, each of which imports only from those before it.
MODULES = ("codes", "text", "words", "errors", "settings", "items", "pdu", "fsm", "acse", "dimse", "association",  # protocol
           "compat", "transport", "reader", "connection", "admission", "dump", "foreign", "events", "log", "pool",  # host
           "server", "options", "service", "cli")

# The Pythons that all tests were run with: for the classifiers. README says more.
PYTHONS = ("2", "2.7", "3", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13",
           "3.14", "3.15", "Implementation :: CPython")

HEADER = '''\
"""echoscp {version}: a DICOM Verification (C-ECHO) SCP in one file, for any Python from 2.6 on, nothing installed.

    python echoscp.py 11112             answer C-ECHO on port 11112
    python echoscp.py --help            all options

This file is made from the package dul of the same project, by its command "python setup.py onefile": the same modules
in the same order, each under a banner. Do not edit it; edit dul/ and make it again. Read it from top to bottom: each
part uses only what stands above it.

{licence}"""
'''
FIRST = '''\
import sys

if __name__ == "__main__":      # from the first statement on Ctrl-C ends this silently, unless it is ignored (nohup, &)
    try:
        import _signal as signals   # built in, where signal itself takes a moment to import
    except ImportError:
        import signal as signals    # Python 2
    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)

'''
FOOTER = '''
__version__ = VERSION

if __name__ == "__main__":
    main()
'''
RULE_LENGTH = 119
DOCSTRING = re.compile(r'\A"""(.*?)"""\n', re.DOTALL)
OWN_IMPORT = re.compile(r"^from dul\.\w+ import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
IMPORT = re.compile(r"^import [\w.]+\n", re.MULTILINE)


def read(*path):
    """The text of a file of the project."""
    with io.open(os.path.join(HERE, *path), encoding="ascii") as source:
        return source.read()


def version():
    """The version, from the one place where it stands."""
    return re.search(r'^VERSION = "([^"]+)"$', read("dul", "codes.py"), re.MULTILINE).group(1)


def one_file():
    """The text of echoscp.py."""
    imports, parts = set(), []
    for name in MODULES:
        text = read("dul", name + ".py")
        docstring = DOCSTRING.match(text).group(1)
        text = OWN_IMPORT.sub("", DOCSTRING.sub("", text))
        imports.update(IMPORT.findall(text))
        text = IMPORT.sub("", text).strip("\n")
        title = ["# " + line if line else "#" for line in docstring.strip().splitlines()]
        rule = ("# ---- dul/%s.py " % name).ljust(RULE_LENGTH, "-")
        parts.append("\n".join([rule] + title + ["", text]))
    header = HEADER.format(version=version(), licence=read("LICENSE"))
    return header + FIRST + "".join(sorted(imports - set(["import sys\n"]))) + "\n" + "\n\n\n".join(parts) + "\n\n" + FOOTER


def man_page():
    """The text of docs/echoscp.1."""
    return made().man_page()


def states():
    """The text of docs/states.svg."""
    return made().states_svg()


def made():
    """The module docs/made.py."""
    sys.path.insert(0, os.path.join(HERE, "docs"))
    sys.modules["setup"] = sys.modules[__name__]
    import made as module
    return module


# Commands: the file that is made, the function that makes its text, and what the help says
COMMANDS = {"onefile": (ONE_FILE, one_file, "write echoscp.py, the edition in one file, from dul/"),
            "manpage": (os.path.join(HERE, "docs", "echoscp.1"), man_page, "write the manual page"),
            "states": (os.path.join(HERE, "docs", "states.svg"), states, "draw the state machine; needs graphviz")}


def make(command, check=False):
    """Write a file that is made, or with ``check`` compare it. Returns an exit status."""
    path, function, _ = COMMANDS[command]
    name = os.path.relpath(path, HERE)
    if check:
        with io.open(path, "rb") as existing:
            data = existing.read()
        if data == fresh(command, data):
            return 0
        sys.stderr.write("%s is stale: make it again with 'python setup.py %s'\n" % (name, command))
        return 1
    data = function().encode("ascii")
    with io.open(path, "wb") as target:
        target.write(data)
    sys.stdout.write("%s  %s\n" % (hashlib.sha256(data).hexdigest(), name))    # for docs/CHANGELOG.rst
    return 0


def fresh(command, existing):
    """The bytes that a file that is made should have."""
    if command != "states":
        return COMMANDS[command][1]().encode("ascii")
    if made().source_of(existing.decode("ascii")) == made().states_dot():
        return existing         # drawn by whichever version of graphviz
    return None


def long_description():
    """README for a package index: links to files of the project lead nowhere there, so that only their text stays."""
    return re.sub(r"`([^`<]+?) <(?!https?:)[^`>]+>`__", r"``\1``", read("README.rst"))


def reproducible(archive, epoch):
    """Rewrite a source archive so that its bytes depend on its content alone.

    :param archive: path of a .tar.gz
    :param epoch: seconds that every file gets as its time
    """
    with tarfile.open(archive) as source:
        members = [(member, source.extractfile(member).read() if member.isfile() else b"")
                   for member in sorted(source.getmembers(), key=lambda member: member.name)]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for member, content in members:
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            target.addfile(member, io.BytesIO(content))
    with io.open(archive, "wb") as target, gzip.GzipFile("", "wb", 9, target, mtime=epoch) as compressed:
        compressed.write(data.getvalue())


def command_class(name):
    """The command of setuptools for COMMANDS[name]."""
    from setuptools import Command

    class Make(Command):
        """Writes one file."""

        description = COMMANDS[name][2]
        user_options = [("check", None, "only compare, and fail where it is stale")]
        boolean_options = ["check"]

        def initialize_options(self):
            """Before the command line is read."""
            self.check = False

        def finalize_options(self):
            """After it."""

        def run(self):
            """Do it."""
            if make(name, self.check):
                sys.exit(1)
    return Make


def set_up():
    """Hand over to setuptools."""
    from setuptools import __version__ as setuptools_version, setup
    from setuptools.command.sdist import sdist
    os.umask(0o022)     # of what is generated, modes do not depend on who builds

    class ReproducibleSdist(sdist):
        """An sdist whose bytes depend on its content and on SOURCE_DATE_EPOCH alone, where that is set."""

        def make_distribution(self):
            """Make the archive."""
            sdist.make_distribution(self)
            epoch = os.environ.get("SOURCE_DATE_EPOCH")
            for archive in self.archive_files if epoch else ():
                if archive.endswith(".tar.gz"):
                    reproducible(archive, int(epoch))

    # setuptools 77 and later warn of it, because the field License says the same
    licence = ["License :: OSI Approved :: MIT License"] if int(setuptools_version.split(".")[0]) < 77 else []
    setup(
        name="echoscp",
        version=version(),
        description="A DICOM Verification (C-ECHO) SCP on the standard library alone",
        long_description=long_description(),
        long_description_content_type="text/x-rst",
        author="the echoscp developers",
        license="MIT",
        packages=["dul"],
        package_data={"dul": ["py.typed", "*.pyi"]},
        python_requires=">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*",
        install_requires=[      # the newest that each Python can run
            "pydicom>=1.4,<2; python_version<'3'",
            "pydicom>=2,<2.3; python_version>='3' and python_version<'3.7'",
            "pydicom>=2,<3; python_version>='3.7' and python_version<'3.10'",
            "pydicom>=2; python_version>='3.10'",
        ],
        entry_points={"console_scripts": ["echoscp = dul.cli:main"]},
        options={"bdist_wheel": {"python_tag": "py2.py3"}},
        data_files=[("share/man/man1", ["docs/echoscp.1"])],
        cmdclass=dict([(name, command_class(name)) for name in COMMANDS], sdist=ReproducibleSdist),
        zip_safe=False,
        keywords="DICOM C-ECHO Verification SCP echoscp PACS healthcare",
        classifiers=[
            "Development Status :: 5 - Production/Stable",
            "Environment :: Console",
            "Environment :: No Input/Output (Daemon)",
            "Intended Audience :: Healthcare Industry",
            "Intended Audience :: System Administrators",
            "Operating System :: POSIX :: Linux",
            "Programming Language :: Python",
        ] + licence + ["Programming Language :: Python :: " + each for each in PYTHONS] + [
            "Topic :: Scientific/Engineering :: Medical Science Apps.",
            "Topic :: System :: Networking :: Monitoring",
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in COMMANDS and sys.argv[2:] in ([], ["--check"]):
        sys.exit(make(sys.argv[1], bool(sys.argv[2:])))
    set_up()
