"""For Windows: echoscp.py alone, under -S and with every warning an error, answers an echo and ends by Ctrl-C."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

from wire import RELEASE_RP, RELEASE_RQ, Peer, echo_rq, echo_rsp  # noqa: E402

# A program of its own, as it gives up its console, takes that of the other one, and would be interrupted as well.
CTRL_C = ("import ctypes, sys\n"
          "api = ctypes.WinDLL('kernel32', use_last_error=True)\n"
          "api.FreeConsole()\n"
          "done = api.AttachConsole(int(sys.argv[1])) and api.SetConsoleCtrlHandler(None, 1) "
          "and api.GenerateConsoleCtrlEvent(0, 0)\n"
          "sys.exit(0 if done else 'Windows error %d' % ctypes.get_last_error())\n")

folder = tempfile.mkdtemp()
shutil.copy(os.path.join(TOP, "echoscp.py"), folder)
with socket.socket() as sock:
    sock.bind(("", 0))
    port = sock.getsockname()[1]
process = subprocess.Popen([sys.executable, "-W", "error", "-S", "-B", "echoscp.py", str(port), "-v"], cwd=folder,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, creationflags=subprocess.CREATE_NO_WINDOW)
try:
    end = time.monotonic() + 20
    while True:
        try:
            peer = Peer(("127.0.0.1", port))
            break
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
    peer.associate()
    assert peer.send(echo_rq()).pdu() == echo_rsp()
    assert peer.send(RELEASE_RQ).pdu() == RELEASE_RP
    peer.close()
    subprocess.check_call([sys.executable, "-c", CTRL_C, str(process.pid)])
    output = process.communicate(timeout=20)[0].decode("utf-8").splitlines()
    print("exit status %d" % process.returncode, output, os.listdir(folder))
    assert process.returncode == 130
    assert output == ["I: Association Received", "I: Association Accepted", "I: Received Echo Request (MsgID 1)",
                      "I: Association Released"]
    assert os.listdir(folder) == ["echoscp.py"]
finally:
    process.kill()
    process.communicate()
    shutil.rmtree(folder)
