"""What the installation made, and its rules: platform.json and policy.yaml in the registry.

Both are read at most every few seconds, so a changed policy acts at once for people, and a
burst of requests costs one read.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from functions.cloud import clients
from functions.door import logs, problems
from schemas.platform import Platform
from schemas.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_FOR = 5.0
_kept: dict[tuple[str, str], tuple[float, object]] = {}
_lock = threading.Lock()


def bucket_name() -> str:
    """Return the registry's bucket, the only thing a function is told by its environment.

    Raises:
        ProblemError: 503 when BERTH_REGISTRY is not set.
    """
    name = os.environ.get("BERTH_REGISTRY", "")
    if not name:
        raise problems.not_installed("the environment variable BERTH_REGISTRY is not set")
    return name


def load() -> Platform:
    """Return what install wrote about this project."""
    platform = _document("platform.json", Platform.model_validate_json)
    assert isinstance(platform, Platform)
    logs.bind(project=platform.project_id)
    return platform


def load_policy() -> Policy:
    """Return the rules: teams, members, admins and limits."""
    policy = _document("policy.yaml", _policy)
    assert isinstance(policy, Policy)
    return policy


def keep(name: str, document: object, *, seconds: float) -> None:
    """Remember a document for so many seconds."""
    with _lock:
        _kept[(bucket_name(), name)] = (time.monotonic() + seconds, document)


def forget() -> None:
    """Drop what is remembered, so that the next request reads anew."""
    with _lock:
        _kept.clear()


def _policy(text: bytes) -> Policy:
    import yaml

    return Policy.model_validate(yaml.safe_load(text) or {})


def _document(name: str, parse: Callable[[bytes], object]) -> object:
    key = (bucket_name(), name)
    with _lock:
        kept = _kept.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    document = _read(key[0], name, parse)
    keep(name, document, seconds=KEPT_FOR)
    return document


def _read(bucket: str, name: str, parse: Callable[[bytes], object]) -> object:
    from google.api_core.exceptions import NotFound
    from yaml import YAMLError

    try:
        text = clients.storage().bucket(bucket).blob(name).download_as_bytes()
    except NotFound as error:
        raise problems.not_installed(f"there is no {name} in the registry bucket") from error
    try:
        return parse(text)
    # pydantic's ValidationError is a ValueError, and so is text that is not UTF-8.
    except (ValueError, YAMLError) as error:
        reason = str(error)[:1000]
        logs.write("ERROR", f"{name} is not valid", cause=reason)
        detail = f"the {name} of the registry is not valid"
        raise problems.not_installed(detail, cause=reason) from error
