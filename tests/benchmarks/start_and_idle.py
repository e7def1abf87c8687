"""How long the local cloud takes to start, and how much memory it holds while nothing happens.

`python -m tests.benchmarks.start_and_idle`: every start is one of a new state folder. Beside the
seconds stands what a bare Python takes to start on this machine at this moment, so that a loaded
or slow machine shows as such, and the processor time, which another's load hardly changes.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTS = 5
CLOUD = [sys.executable, "-m", "localcloud"]
MOST_SECONDS, MOST_MEGABYTES = 2.0, 150.0


def timed(*command: str) -> float:
    """Run a command; return how long it took."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def status(pid: int) -> dict[str, float]:
    """Return the megabytes a process holds: in all, and of its own."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0]) / 1024
    return {"rss": found["Rss"], "own": found["Private_Clean"] + found["Private_Dirty"]}


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def start(state: Path) -> tuple[float, float, dict[str, float]]:
    """Start once; return the seconds until it is up, its processor time, and its memory then."""
    where = ["--state", str(state)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = timed(*CLOUD, "up", *where)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = subprocess.run(
        [*CLOUD, "status", "--format", "pid", *where], check=True, capture_output=True, text=True
    )
    pid = int(asked.stdout)
    command = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    used = command + processor_seconds(pid)
    held = status(pid)
    subprocess.run([*CLOUD, "reset", *where], check=True, stdout=subprocess.DEVNULL)
    return seconds, used, held


def main() -> int:
    """Print the figures; exit code 1 if one is more than promised."""
    bare = statistics.median(timed(sys.executable, "-c", "") for _ in range(STARTS))
    with tempfile.TemporaryDirectory() as folder:
        found = [start(Path(folder) / str(number)) for number in range(STARTS)]
    seconds = statistics.median(one[0] for one in found)
    used = statistics.median(one[1] for one in found)
    rss = max(one[2]["rss"] for one in found)
    own = max(one[2]["own"] for one in found)
    print(f"start: {seconds:.2f} s (promised: {MOST_SECONDS} s), {seconds / bare:.0f} bare Pythons")
    print(f"       of {bare:.3f} s; {used:.2f} s of processor time; median of {STARTS}")
    print(f"idle:  {rss:.0f} MB (promised: {MOST_MEGABYTES:.0f} MB), {own:.0f} MB of them its own")
    return int(seconds > MOST_SECONDS or rss > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
