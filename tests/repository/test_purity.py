"""Rules the tree keeps: the product does not know where it runs, and files stay readable."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCAL_WORDS = ("localcloud", "127.0.0.1", "emulator")
MAY_SAY_SO = ("localcloud/", "tests/", "examples/", "docs/", "Makefile")
LONGEST = 400
DATA = ("tests/conformance/", "schemas/json/", "localcloud/iam/roles/")


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the repository, as git lists it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def text(name: str) -> str:
    """The content of a tracked file; bytes that are no text are skipped."""
    return (ROOT / name).read_text(errors="ignore")


def test_the_product_does_not_know_where_it_runs() -> None:
    """What ships never mentions the local cloud; prose about the repository may."""
    product = [
        name for name in tracked() if not name.startswith(MAY_SAY_SO) and not name.endswith(".md")
    ]

    guilty = {
        (name, word) for name in product for word in LOCAL_WORDS if word in text(name).lower()
    }

    assert len(product) > 50
    assert guilty == set()


@pytest.mark.parametrize("ending", [".py", ".yaml"])
def test_files_stay_short_enough_to_read(ending: str) -> None:
    """A file over 400 lines asks to be split at its nouns."""
    sources = [n for n in tracked() if n.endswith(ending) and not n.startswith(DATA)]

    long = {name: lines for name in sources if (lines := text(name).count("\n")) > LONGEST}

    assert long == {}


def test_only_the_library_writes_to_google() -> None:
    """Creating, changing and deleting happen in workflows/lib and nowhere else."""
    verbs = ("http.post", "http.put", "http.patch", "http.delete", "http.request", "googleapis.")
    stories = [
        n
        for n in tracked()
        if n.startswith("workflows/") and n.endswith(".yaml") and "/lib/" not in n
    ]

    guilty = {(name, verb) for name in stories for verb in verbs if verb in text(name)}

    assert len(stories) >= 2
    assert guilty == set()


def test_every_make_target_is_documented() -> None:
    """A target that no page mentions does not exist for a newcomer."""
    targets = [line.split(":")[0] for line in text("Makefile").splitlines() if ":  ## " in line]
    pages = "".join(text(n) for n in tracked() if n.endswith(".md"))

    assert [t for t in targets if f"make {t}" not in pages] == []
