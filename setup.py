"""Packaging, and the command that makes the one file.

    python setup.py onefile             write echoscp.py from dul/
    python setup.py onefile --check     exit with status 1 where echoscp.py is not what would be written

This command needs no setuptools; all others do.
"""
import hashlib
import io
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ONE_FILE = os.path.join(HERE, "echoscp.py")

# The modules of dul/, each of which imports only from those before it.
MODULES = ("codes", "text", "words", "errors", "settings", "items", "pdu", "fsm", "acse", "dimse", "association",  # protocol
           "compat", "transport", "reader", "connection", "admission", "dump", "foreign", "events", "log", "pool",  # host
           "server", "service", "options", "cli")

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
        import _signal as first     # built in, where signal itself takes a moment to import
    except ImportError:
        import signal as first      # Python 2
    if first.getsignal(first.SIGINT) is first.default_int_handler:
        first.signal(first.SIGINT, first.SIG_DFL)

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


def write_one_file(check=False):
    """Write echoscp.py, or with ``check`` compare it. Returns an exit status."""
    text = one_file().encode("ascii")
    if check:
        with io.open(ONE_FILE, "rb") as existing:
            if existing.read() == text:
                return 0
        sys.stderr.write("echoscp.py is stale: make it again with 'python setup.py onefile'\n")
        return 1
    with io.open(ONE_FILE, "wb") as target:
        target.write(text)
    sys.stdout.write("%s  echoscp.py\n" % hashlib.sha256(text).hexdigest())    # for docs/CHANGELOG.rst
    return 0


def set_up():
    """Hand over to setuptools."""
    from setuptools import Command, setup

    class OneFile(Command):
        """The command ``onefile``."""

        description = "write echoscp.py, the edition in one file, from dul/"
        user_options = [("check", None, "only compare, and fail where it is stale")]
        boolean_options = ["check"]

        def initialize_options(self):
            """Before the command line is read."""
            self.check = False

        def finalize_options(self):
            """After it."""

        def run(self):
            """Do it."""
            if write_one_file(self.check):
                sys.exit(1)

    setup(
        name="echoscp",
        version=version(),
        description="A DICOM Verification (C-ECHO) SCP on the standard library alone",
        long_description=read("README.rst"),
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
        cmdclass={"onefile": OneFile},
        zip_safe=False,
        classifiers=[
            "Intended Audience :: Healthcare Industry",
            "Programming Language :: Python :: 2.7",
            "Programming Language :: Python :: 3",
            "Topic :: Scientific/Engineering :: Medical Science Apps.",
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["onefile"] and sys.argv[2:] in ([], ["--check"]):
        sys.exit(write_one_file(bool(sys.argv[2:])))
    set_up()
