"""Images of programs that cannot be installed here: a tree with a stand-in, under the real name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from localcloud import oauth2_proxy

OAUTH2_PROXY = re.compile(
    r"quay\.io/oauth2-proxy/oauth2-proxy(?::(?P<tag>v7(?:\.\d+){0,2}(?:-alpine)?|latest))?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
"""Which names mean oauth2-proxy, the seventh version of it."""

ENTRYPOINT = "/bin/oauth2-proxy"
_HOME = "opt/oauth2-proxy"
_SCRIPT = """#!{python} -ES
import sys

sys.path.insert(0, "/{home}")
from localcloud.oauth2_proxy.__main__ import main

sys.exit(main())
"""


def lay_out(root: Path, python: Path) -> None:
    """Write the tree of the oauth2-proxy image; *python* is what runs the stand-in."""
    package = root / _HOME / "localcloud"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        '"""The part of the local cloud that this image holds."""\n'
    )
    shutil.copytree(
        Path(oauth2_proxy.__file__).parent,
        package / "oauth2_proxy",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    script = root / ENTRYPOINT.lstrip("/")
    script.parent.mkdir(parents=True)
    script.write_text(_SCRIPT.format(python=python, home=_HOME))
    script.chmod(0o755)
