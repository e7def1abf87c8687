"""The box in which a build's commands run: the image's files as they are, the host's read-only."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.machines import box, image_tree
from localcloud.machines.builds import base_images, build_capture

CAPTURE = "/.capture"

# What of this machine's settings a command sees, so that pip and uv reach the same package index.
OF_INDEX = re.compile(r"(PIP|UV)_\w+|SOURCE_DATE_EPOCH")
OF_NETWORK = re.compile(
    r"(HTTPS?|NO|ALL|https?|no|all)_(PROXY|proxy)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
)


def passed_on() -> dict[str, str]:
    """Return the settings of this machine that a build's commands see.

    In a shell that was pointed at the local cloud, proxy and certificates are the local cloud's own:
    there is no package index behind that door.
    """
    ours = "GCE_METADATA_HOST" in os.environ
    return {
        key: value
        for key, value in os.environ.items()
        if OF_INDEX.fullmatch(key) or (OF_NETWORK.fullmatch(key) and not ours)
    }


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
