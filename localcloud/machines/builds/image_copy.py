"""COPY: from the build context, or from an earlier stage, into an image's tree."""

import fnmatch
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from localcloud.machines.builds.contract import StepFailed
from localcloud.machines.builds.dockerfile import Instruction


def filtered(context: Path, work: Path) -> Path:
    """Return the context without what its .dockerignore names: itself when it names nothing."""
    file = context / ".dockerignore"
    if not file.exists():
        return context
    lines = [line.strip() for line in file.read_text().splitlines()]
    patterns = [line.strip("/") for line in lines if line and not line.startswith("#")]
    if refused := [pattern for pattern in patterns if pattern.startswith("!")]:
        raise StepFailed(f".dockerignore: exceptions such as {refused[0]} are not supported here")

    def ignore(folder: str, names: list[str]) -> list[str]:
        inside = os.path.relpath(folder, context)
        return [name for name in names if _named(os.path.normpath(f"{inside}/{name}"), patterns)]

    target = work / "context"
    shutil.copytree(context, target, symlinks=True, ignore=ignore)
    return target


def _named(path: str, patterns: list[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(path, pattern)
        or (pattern.startswith("**/") and fnmatch.fnmatchcase(Path(path).name, pattern[3:]))
        for pattern in patterns
    )


def copy(
    one: Instruction,
    origin: Path,
    place: Path,
    *,
    variables: Mapping[str, str],
    linked: bool,
) -> None:
    """Carry out one COPY.

    Args:
        one: The instruction; its last word is the destination.
        origin: The directory its sources are in.
        place: Where the destination lies in the image's tree.
        variables: For its words.
        linked: The sources belong to an earlier stage of this build, so that linking to their
            files is enough: nobody changes them any more, and a second copy of a large virtual
            environment takes long.

    """
    *sources, target = one.words(variables)
    if not sources:
        raise one.refuse("COPY wants a source and a destination")
    found = [path for source in sources for path in _matches(one, origin, source)]
    if len(found) > 1 and not target.endswith("/"):
        raise one.refuse("COPY of several sources wants a destination that ends with /")
    owner = _owner(one, variables)
    for path in found:
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            link = linked and owner is None and "chmod" not in one.flags
            how = ["-al", "--remove-destination"] if link else ["-a", "--reflink=auto"]
            subprocess.run(["cp", *how, "-T", str(path), str(place)], check=True)
            copied = [place / entry.name for entry in path.iterdir()]
        else:
            single = place / path.name if target.endswith(("/", "/.")) or place.is_dir() else place
            single.parent.mkdir(parents=True, exist_ok=True)
            single.unlink(missing_ok=True)
            shutil.copy2(path, single, follow_symlinks=False)
            copied = [single]
        _finish(copied, owner, one.flags.get("chmod"), from_context=not linked)


def _matches(one: Instruction, origin: Path, source: str) -> list[Path]:
    normal = os.path.normpath("/" + source).lstrip("/")
    if not normal:
        return [origin]
    if any(sign in normal for sign in "*?["):
        found = sorted(origin.glob(normal))
    else:
        found = [origin / normal] if os.path.lexists(origin / normal) else []
    if not found:
        where = "that stage (which holds only what it added)" if "from" in one.flags else "context"
        raise one.refuse(f"COPY failed: {source} is not in the {where}")
    return found


def _owner(one: Instruction, variables: Mapping[str, str]) -> tuple[int, int] | None:
    text = one.expand(one.flags.get("chown", ""), variables)
    if not text:
        return None
    user, _, group = text.partition(":")
    if not user.isdigit() or (group and not group.isdigit()):
        raise one.refuse(f"COPY --chown={text}: users are known by number here")
    return int(user), int(group or user)


def _finish(
    paths: list[Path], owner: tuple[int, int] | None, mode: str | None, *, from_context: bool
) -> None:
    """Give what was copied its owner (only root can) and its mode."""
    names = [str(path) for path in paths]
    if not names:
        return
    if os.geteuid() == 0 and (owner is not None or from_context):
        user, group = owner or (0, 0)
        subprocess.run(["chown", "-hR", f"{user}:{group}", *names], check=True)
    if mode:
        subprocess.run(["chmod", "-R", mode, *names], check=True)
