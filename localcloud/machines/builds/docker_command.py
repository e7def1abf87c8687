"""The command line of ``docker`` as build steps use it: build, tag and push."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from localcloud.machines.builds.contract import StepFailed

KNOWN = ("build", "tag", "push")


@dataclass
class BuildCommand:
    """What ``docker build`` was asked for."""

    tags: list[str] = field(default_factory=list)
    file: str | None = None
    arguments: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    context: str = ""


def _argument(command: BuildCommand, value: str) -> None:
    name, equals, text = value.partition("=")
    if not equals:
        raise StepFailed(f"docker build: --build-arg {name} without a value is not supported here")
    command.arguments[name] = text


def _file(command: BuildCommand, value: str) -> None:
    command.file = value


def _target(command: BuildCommand, value: str) -> None:
    command.target = value.lower()


def _tag(command: BuildCommand, value: str) -> None:
    command.tags.append(value)


def _network(command: BuildCommand, value: str) -> None:
    del command
    if value not in NETWORKS:
        raise StepFailed(f"docker build: --network {value} is not supported here")


# Commands of a build reach this machine's network, which stands for each of these.
NETWORKS = frozenset(["cloudbuild", "default", "host", "bridge"])

VALUED: dict[str, Callable[[BuildCommand, str], None]] = {
    "-t": _tag,
    "--tag": _tag,
    "-f": _file,
    "--file": _file,
    "--build-arg": _argument,
    "--target": _target,
    "--network": _network,
}
# Every build here starts from the same base and keeps no layers, so these change nothing.
IGNORED = frozenset(["--pull", "--no-cache", "--quiet", "-q", "--rm", "--force-rm"])


def parse_build(words: Sequence[str]) -> BuildCommand:
    """Read the words after ``docker build``."""
    command = BuildCommand()
    rest = list(words)
    contexts: list[str] = []
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if flag in VALUED and word.startswith("-"):
            if not equals and not rest:
                raise StepFailed(f"docker build: flag needs an argument: {flag}")
            VALUED[flag](command, value if equals else rest.pop(0))
        elif flag in IGNORED:
            continue
        elif word.startswith("-"):
            raise StepFailed(f"docker build: the flag {flag} is not supported here")
        else:
            contexts.append(word)
    if len(contexts) != 1:
        raise StepFailed('"docker build" requires exactly 1 argument: the directory to build from')
    command.context = contexts[0]
    return command
