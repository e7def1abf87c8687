"""A program in a box sees the image's files at their real paths, and the host's beside them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from localcloud.machines import box
from tests.localcloud.patience import eventually, gone

PLAIN_USER = 65532


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return a directory with one readable file, open to every user."""
    root = tmp_path / "image"
    root.mkdir(mode=0o755)
    (root / "greeting").write_text("hello")
    return root


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a launcher's command line to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_files_are_at_their_paths(image: Path) -> None:
    """A bind appears at its absolute path, and the program starts where it is told."""
    seen = run(box.argv(["sh", "-c", "pwd; cat greeting"], binds={"/app": image}, workdir="/app"))

    assert seen.stdout == "/app\nhello"


def test_bind_inside_a_host_directory_keeps_its_neighbours(image: Path) -> None:
    """A bind below /usr hides nothing else that is there, and touches nothing on the host."""
    seen = run(
        box.argv(
            ["sh", "-c", "cat /usr/share/berth/x/greeting; ls /usr"],
            binds={"/usr/share/berth/x": image},
        )
    )

    assert seen.stdout.startswith("hello")
    assert "bin" in seen.stdout
    assert not Path("/usr/share/berth").exists()


def test_bind_inside_a_bind(image: Path, tmp_path: Path) -> None:
    """A volume inside an image directory needs no mount point in the image."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "value").write_text("s3cret")

    seen = run(
        box.argv(
            ["sh", "-c", "cat /app/greeting /app/secrets/value"],
            binds={"/app": image},
            readonly={"/app/secrets": volume},
        )
    )

    assert seen.stdout == "hellos3cret"
    assert sorted(entry.name for entry in image.iterdir()) == ["greeting"]


def test_readonly_is_readonly(image: Path) -> None:
    """Not even root writes into a read-only bind."""
    seen = run(box.argv(["touch", "/app/new"], readonly={"/app": image}))

    assert seen.returncode == 1
    assert "Read-only" in seen.stderr


def test_readonly_stays_so_around_a_volume(image: Path, tmp_path: Path) -> None:
    """A volume inside a read-only image is written to, the image around it is not."""
    volume = tmp_path / "volume"
    volume.mkdir()
    script = "touch /app/data/new && ! touch /app/greeting 2>/dev/null && ! touch /app/other"

    seen = run(
        box.argv(["sh", "-c", script], readonly={"/app": image}, binds={"/app/data": volume})
    )

    assert seen.returncode == 0, seen.stderr
    assert (volume / "new").exists()


def test_tmp_is_private(image: Path, tmp_path: Path) -> None:
    """The program's /tmp does not show the host's files, and what it writes stays inside."""
    with tempfile.NamedTemporaryFile(dir="/tmp", suffix=".host") as hosts:
        script = f"ls {hosts.name}; touch /tmp/mine-{tmp_path.name}; ls /tmp"
        seen = run(box.argv(["sh", "-c", script], binds={"/app": image}))

    assert "No such file" in seen.stderr
    assert f"mine-{tmp_path.name}" in seen.stdout
    assert not Path(f"/tmp/mine-{tmp_path.name}").exists()  # noqa: S108 - the host's own


def test_interpreter_stays_reachable_for_another_user(image: Path) -> None:
    """This very Python still runs inside, although its home may be closed to that user."""
    command = [sys.executable, "-c", "import os, pydantic; print(os.getuid())"]
    user = PLAIN_USER if os.geteuid() == 0 else os.geteuid()

    seen = run(box.argv(command, binds={"/app": image}, user=user))

    assert seen.stdout == f"{user}\n", seen.stderr


def test_ordinary_user_can_make_a_box(image: Path) -> None:
    """Without root a box works through a user namespace, and shows the wanted user number."""
    inner = box.argv(
        ["sh", "-c", "id -u; cat /app/greeting; touch /app/new"],
        readonly={"/app": "/image"},
        user=7,
    )

    # The launcher of the inner box must be there too, wherever this checkout lies.
    project = Path(box.__file__).parents[2]
    outer = box.argv(
        inner, binds={"/image": image}, readonly={str(project): project}, user=PLAIN_USER
    )
    seen = run(outer)

    assert seen.stdout == "7\nhello", seen.stderr
    assert "Read-only" in seen.stderr


def test_process_keeps_the_exit_code(image: Path) -> None:
    """The launcher becomes the program, so its exit code is the program's."""
    assert run(box.argv(["sh", "-c", "exit 7"], binds={"/app": image})).returncode == 7


@pytest.mark.parametrize(
    ("binds", "said"),
    [
        ({"/app": "/no/such/directory"}, "cannot bind /no/such/directory at /app"),
        ({"app": "/usr"}, "absolute path"),
        ({"/": "/usr"}, "nothing can be bound at /"),
    ],
)
def test_bad_binds_are_refused(binds: dict[str, str], said: str) -> None:
    """A box that cannot be made says why in one line, and the program does not run."""
    seen = run(box.argv(["echo", "ran"], binds=binds))

    assert (seen.returncode, seen.stdout) == (125, "")
    assert said in seen.stderr
    assert len(seen.stderr.splitlines()) == 1


def test_missing_program_is_named(image: Path) -> None:
    """A program that the image lacks is an error that names it."""
    seen = run(box.argv(["/app/serve"], binds={"/app": image}))

    assert seen.returncode == 127
    assert "/app/serve: no such program" in seen.stderr


def test_missing_workdir_is_named(image: Path) -> None:
    """A directory to start in that does not exist is an error that names it."""
    seen = run(box.argv(["true"], binds={"/app": image}, workdir="/nowhere"))

    assert "cannot start in /nowhere" in seen.stderr


def test_program_dies_with_its_parent(image: Path, tmp_path: Path) -> None:
    """A box outlives nobody: when the starter is killed, so is the program."""
    mark = tmp_path / "pid"
    starter = (
        "import os, signal, subprocess, sys, time\n"
        "sys.path.insert(0, sys.argv[3])\n"
        "from localcloud.machines import box\n"
        "command = ['sh', '-c', 'echo $$ > /out/pid.new; mv /out/pid.new /out/pid; exec sleep 60']\n"
        "subprocess.Popen(box.argv(command, binds={'/app': sys.argv[1], '/out': sys.argv[2]}))\n"
        "while not os.path.exists(sys.argv[2] + '/pid'): time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    project = str(Path(box.__file__).parents[2])

    run([sys.executable, "-c", starter, str(image), str(tmp_path), project])

    pid = int(mark.read_text())
    eventually(lambda: gone(pid))
