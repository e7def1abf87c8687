"""How long a deployment takes when its image is there, and how much of that is MLflow's own start.

`make bench` runs it after `make demo`: the demo once more, and beside it, in the same run, MLflow
started bare from the same image: no Berth, no database server, no bucket. A provisioning pays for
that start twice: the migration imports MLflow, and then the server starts.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from localcloud.machines import box, image_tree

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


def newest_image(state: Path) -> Path:
    """Return the tree of the image that was built last."""
    trees = sorted(
        (path.parents[2] for path in state.glob("images/**/opt/mlflow/bin")),
        key=lambda path: path.stat().st_mtime,
    )
    if not trees:
        sys.exit(f"there is no image in {state}: run `make demo` first")
    return trees[-1]


def bare_start(image: Path, data: Path) -> float:
    """Start MLflow's server on a SQLite file; return the seconds until /health answers."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = ["/opt/mlflow/bin/python", "-m", "mlflow", "server", "--workers", "1"]
    where = ["--port", str(port), "--backend-store-uri", f"sqlite:///{data}/mlflow.db"]
    command = box.argv([*server, *where], binds={**image_tree.binds(image), str(data): data})
    environment = {
        "PATH": f"/opt/mlflow/bin:{os.environ['PATH']}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": "/tmp",  # noqa: S108 - the box's own
    }
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.monotonic() - started < PATIENCE_SECONDS:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
            else:
                return time.monotonic() - started
        sys.exit(f"MLflow did not start in {PATIENCE_SECONDS} s")
    finally:
        process.terminate()
        process.wait(timeout=30)


def demo(state: Path) -> tuple[float, float]:
    """Run the demo; return the seconds of all of it, and from the POST to READY."""
    command = ["make", "--no-print-directory", "demo", f"STATE={state}"]
    started = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    taken = time.monotonic() - started
    ready = re.search(r"^READY in (\d+) s", ended.stdout, flags=re.MULTILINE)
    if ended.returncode or ready is None:
        sys.exit(f"make demo failed:\n{ended.stdout}\n{ended.stderr}")
    return taken, float(ready[1])


def main() -> None:
    """Measure and print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, default=Path(".localcloud"))
    state = parser.parse_args().state
    image = newest_image(state)
    with tempfile.TemporaryDirectory() as folder:
        first = bare_start(image, Path(folder))
        again = bare_start(image, Path(folder))
    taken, ready = demo(state)
    print(f"make demo, image there         {taken:5.1f} s")
    print(f"  POST to READY                {ready:5.1f} s")
    print(f"MLflow bare, new database      {first:5.1f} s")
    print(f"MLflow bare, database there    {again:5.1f} s")
    print(f"MLflow's starts / POST to READY   {(first + again) / ready:.0%}")


if __name__ == "__main__":
    main()
