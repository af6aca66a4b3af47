"""What the documents say is what the program does."""
import hashlib
import io
import os
import re
import unittest

from process import Program, folder
from support import ROOT, both_forms, project, wait_until
from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp


class Statement(object):
    """docs/CONFORMANCE.rst."""

    def setUp(self):
        self.text = project.read("docs", "CONFORMANCE.rst")

    def test_the_facts_about_us_are_those_of_the_program(self):
        dul, words = self.dul, " ".join(self.text.split())
        for label, value in (("Implementation class UID", dul.IMPLEMENTATION_CLASS.decode()),
                             ("Implementation version name", dul.IMPLEMENTATION_VERSION.decode()),
                             ("Application context name", dul.APPLICATION_CONTEXT_NAME.decode()),
                             ("Maximum PDU size received", "%d bytes; 128 to 4294967295" % dul.Settings().maximum_length),
                             ("Simultaneous associations", str(dul.MOST_ASSOCIATIONS)),
                             ("Maximum PDU size sent", "as the peer announces; %d bytes" % dul.MINIMUM_MAXIMUM_LENGTH),
                             ("ARTIM (``-ta``)", "%d s" % dul.Settings().acse_timeout)):
            self.assertIn("%s %s" % (label, value), words)

    def test_the_rejects_are_all_that_the_program_has(self):
        due = {getattr(self.dul, name) for name in dir(self.dul) if name.startswith("REJECT_")
               and isinstance(getattr(self.dul, name), tuple)}
        found = re.findall(r"^([12])      ([123])      (\d)      (\S+)", self.text, re.MULTILINE)
        self.assertEqual({tuple(int(each) for each in row[:3]) for row in found}, due)
        for row in found:
            self.assertEqual(self.dul.REJECT_REASONS[int(row[1]), int(row[2])], row[3])

    def test_the_aborts_are_all_that_the_program_has(self):
        due = {getattr(self.dul, name) for name in dir(self.dul) if name.startswith("ABORT_")
               and isinstance(getattr(self.dul, name), tuple)}
        section = self.text.split("Association abort\n")[1].split("\nDIMSE\n")[0]
        found = re.findall(r"^([02])      (\d)      (\S+(?: \S+)*)  ", section, re.MULTILINE)
        self.assertEqual({(int(row[0]), int(row[1])) for row in found}, due)
        for source, reason, words in found:
            self.assertEqual(words, self.dul.ABORT_REASONS[int(reason)] if source == "2" else self.dul.ABORT_SOURCES[0])

    def test_contexts_results_and_statuses_are_the_programs(self):
        dul = self.dul
        syntaxes = re.findall(r"^Verification SOP Class  1\.2\.840\.10008\.1\.1  (.+?)  +(\S+) +SCP", self.text, re.MULTILINE)
        self.assertEqual({uid for _, uid in syntaxes}, {uid.decode() for uid in dul.PREFER_LOCAL})
        for name, uid in syntaxes:
            self.assertEqual(dul.UID_NAMES[uid], name)
        results = re.findall(r"^(\d)      ([a-z-]+)  ", self.text, re.MULTILINE)
        self.assertEqual({(int(number), words) for number, words in results},
                         {(number, dul.CONTEXT_RESULTS[number]) for number in (0, 3, 4)})
        statuses = re.findall(r"^(\w{4})H  (\S+(?: \S+)*)  ", self.text, re.MULTILINE)
        self.assertEqual({(int(number, 16), words) for number, words in statuses}, set(dul.STATUS_NAMES.items()))


class Readme(object):
    """README.rst."""

    def setUp(self):
        self.text = project.read("README.rst")

    def test_its_options_are_the_programs_own_table(self):
        shown = self.text.split(".. options begin\n\n::\n\n")[1].split("\n.. options end")[0]
        self.assertEqual("".join([line[4:] for line in shown.splitlines(True)]).strip(), self.dul.OPTION_LINES.strip())

    def test_its_first_command_does_what_it_says(self):
        command = re.search(r"^    python (echoscp\.py) (11112)$", self.text, re.MULTILINE)
        self.assertTrue(command)
        program = Program(self, "-v")
        with Peer(program.address) as peer:
            peer.associate()
            self.assertEqual(peer.send(echo_rq()).pdu(), echo_rsp())
            self.assertEqual(peer.send(RELEASE_RQ).pdu(), RELEASE_RP)
        program.end()
        self.assertIn("".join(["    %s\n" % line for line in program.err.splitlines()]), self.text)

    def test_its_second_command_is_how_these_tests_are_run(self):
        self.assertIn("\n    python -m unittest discover -s tests\n", self.text)

    def test_the_logging_example_works(self):
        path = folder(self)
        program = Program(self, ["-lc", os.path.join(ROOT, "docs", "logging.ini")], cwd=path, env=dict(
            os.environ, PYTHONPATH=ROOT))
        with Peer(program.address) as peer:
            peer.associate(calling=b"MODALITY")
        name = os.path.join(path, "echoscp.log")

        def text():
            with io.open(name) as source:
                return source.read()
        wait_until(lambda: "MODALITY -> ECHOSCP] Association Accepted" in text(), "the line is in the file")

    def test_every_kind_of_notice_is_named(self):
        for kind in (self.dul.CONNECTED, self.dul.RECEIVED, self.dul.ACCEPTED, self.dul.REJECTED, self.dul.ECHOED,
                     self.dul.RELEASED, self.dul.ABORTED, self.dul.ABORTING, self.dul.LOST, self.dul.EXPIRED, self.dul.BARE,
                     self.dul.CLOSED):
            self.assertIn("``%s``" % kind, self.text)


class Release(unittest.TestCase):
    """docs/CHANGELOG.rst."""

    def test_the_newest_entry_is_this_version_with_the_sum_of_the_one_file(self):
        text = project.read("docs", "CHANGELOG.rst")
        self.assertEqual(re.search(r"^(\d+\.\d+\.\d+)$", text, re.MULTILINE).group(1), project.version())
        with io.open(project.ONE_FILE, "rb") as source:
            self.assertIn(hashlib.sha256(source.read()).hexdigest(), text)


both_forms(Statement)
both_forms(Readme)

if __name__ == "__main__":
    unittest.main()
