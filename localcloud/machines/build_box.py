"""The box in which a build's commands run: the image's files as they are, the host's read-only."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud import box, image_tree
from localcloud.machines import base_images, build_capture

CAPTURE = "/.capture"


def argv(
    command: Sequence[str],
    *,
    bound: Mapping[str, Path],
    temporary: Path,
    workdir: str,
    user: str = "",
    keep: Path | None = None,
) -> list[str]:
    """Return the command line.

    Args:
        command: As seen from inside.
        bound: What the command sees where; it may write there, and nowhere else.
        temporary: Becomes /tmp; on disk, since it may become large.
        workdir: Where the command starts.
        user: Number of the user it runs as; only root can become somebody else, so for an
            ordinary user all users of an image are himself.
        keep: Tree that gets what the command makes in directories shared with the host.

    """
    words = [str(base_images.interpreter()), "-I", "-S", CAPTURE]
    if user and os.geteuid() == 0:
        words += ["--user", user]
    for path in image_tree.hosts_own(dict(bound)):
        words += ["--lock", path]
    binds: dict[str, Path | str] = {
        **bound,
        CAPTURE: Path(build_capture.__file__).resolve(),
        "/tmp": temporary,  # noqa: S108 - the box's own
    }
    if keep is not None:
        binds[build_capture.HOME] = keep
        for path in image_tree.mixed(dict(bound)):
            words += ["--watch", path]
    # as user 0 the mounts can be locked: as root, or as what an ordinary user's box calls root
    return box.argv([*words, "--", *command], binds=binds, user=0, workdir=workdir)
