"""Every example under docs/ is what it is meant for: parsed by the program that reads it, or run."""
import binascii
import io
import os
import re
import shutil
import sys
import unittest
from xml.etree import ElementTree

from process import folder
from support import ROOT
from test_real_peers import call, need
from wire import RELEASE_RQ, echo_rq, pdu

DOCS = os.path.join(ROOT, "docs")
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
TESTED = {"echoscp.service", "echoscp.socket", "echoscp@.service", "echoscp@.socket", "echoscp-task.xml", "haproxy.cfg",
          "logging.ini", "probe.py"}    # probe.py in test_scale.py
MADE = {"echoscp.1", "states.svg", "made.py"}       # no examples; test_documents.py has them


def text_of(name):
    """An example, as text."""
    with io.open(os.path.join(DOCS, name), encoding="ascii") as source:
        return source.read()


def settings_of(name):
    """The lines of a unit that are no comments, and not what instances have of their own."""
    return {line for line in text_of(name).splitlines() if "=" in line and not line.startswith(("#", "Description="))}


class Examples(unittest.TestCase):
    """docs/."""

    def test_there_is_a_test_for_each(self):
        self.assertEqual({name for name in os.listdir(DOCS) if not name.endswith((".rst", ".pyc", "__"))} - MADE, TESTED)

    def test_systemd_has_nothing_to_say_about_the_units(self):
        need("systemd-analyze")
        path = folder(self)
        for name in sorted(TESTED):
            if name.endswith((".service", ".socket")):      # a template is only checked as an instance
                with io.open(os.path.join(path, name.replace("@", "@0")), "w") as unit:
                    unit.write(text_of(name).replace("/usr/bin/python3", sys.executable))
        for name in sorted(os.listdir(path)):
            self.assertEqual(call("systemd-analyze", "verify", os.path.join(path, name)), (0, ""), name)

    def test_an_instance_for_each_processor_is_the_single_one_but_for_that(self):
        self.assertEqual(settings_of("echoscp@.service") ^ settings_of("echoscp.service"),
                         {"Requires=echoscp.socket", "Requires=echoscp@%i.socket", "CPUAffinity=%i"})
        self.assertEqual(settings_of("echoscp@.socket") ^ settings_of("echoscp.socket"), {"ReusePort=yes"})

    def test_haproxy_has_nothing_to_say_about_its_configuration(self):
        need("haproxy")
        status, printed = call("haproxy", "-c", "-f", os.path.join(DOCS, "haproxy.cfg"))
        self.assertEqual((status, printed.strip()), (0, "Configuration file is valid"))

    def test_haproxy_and_the_probe_send_the_same_bytes(self):
        checked = binascii.unhexlify("".join(re.findall(r"send-binary ([0-9a-f]+)", text_of("haproxy.cfg"))).encode())
        names = {}
        exec(text_of("probe.py").split("\nif ")[0], names)
        probed = [binascii.unhexlify(names[name].replace(" ", "").encode())
                  for name in ("A_ASSOCIATE_RQ", "C_ECHO_RQ", "A_RELEASE_RQ")]
        self.assertEqual(checked, b"".join(probed))
        self.assertEqual(probed[0], pdu(1, probed[0][6:]))
        self.assertEqual(probed[1:], [echo_rq(), RELEASE_RQ])

    def test_python_takes_the_logging_configuration(self):
        path = folder(self)
        shutil.copy(os.path.join(DOCS, "logging.ini"), path)
        code = ("import logging.config\nlogging.config.fileConfig('logging.ini')\nlogging.getLogger('echoscp').info('it', "
                "extra=dict(association=1, peer='127.0.0.1:2', calling='A', called='B', text='it'))")
        self.assertEqual(call(sys.executable, "-c", code, cwd=path), (0, ""))
        with io.open(os.path.join(path, "echoscp.log")) as log:
            self.assertIn("INFO [1 127.0.0.1:2 A -> B] it\n", log.read())

    def test_the_task_is_xml_and_runs_on_batteries_too(self):
        task = ElementTree.parse(os.path.join(DOCS, "echoscp-task.xml")).getroot()
        self.assertEqual(task.tag, TASK + "Task")
        for name in ("DisallowStartIfOnBatteries", "StopIfGoingOnBatteries"):
            self.assertEqual([each.text for each in task.findall("%sSettings/%s%s" % (TASK, TASK, name))], ["false"])


if __name__ == "__main__":
    unittest.main()
