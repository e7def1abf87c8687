"""Many first calls of one API at the same moment: each finds the whole client library."""

import subprocess
import sys

PROGRAM = """
import sys, threading
from localcloud.documents.discovery import Document
from localcloud.documents.protos import Protos, rpc_of

sys.setswitchinterval(1e-6)
document = Document("run", "v2")
protos = Protos("google.cloud.run.v2", "google.cloud.run_v2")
names = ["Jobs/GetJob", "Services/GetService", "Executions/GetExecution", "Tasks/GetTask"]
gate = threading.Barrier(16)
found = []

def call(name):
    gate.wait()
    found.append(rpc_of(protos, document, f"/google.cloud.run.v2.{name}"))

threads = [threading.Thread(target=call, args=(names[at % 4],)) for at in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(rpc is not None for rpc in found))
"""


def test_first_calls_at_once_all_find_their_method() -> None:
    """Threads that import a library in different places would leave one another half a module."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=300
    )

    assert (done.stdout.strip(), done.stderr) == ("16", "")
