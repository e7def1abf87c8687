"""Join a workflow with the subworkflows it uses.

Cloud Workflows knows no include, but a source is a map from names to subworkflows, so the texts of
several files, one after the other, are one source. `python -m workflows.bundle provision` prints it.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SOURCE_LIMIT = 128 * 1024
EXPRESSION_LIMIT = 400

HELPERS = frozenset(
    {
        "default",
        "double",
        "get_type",
        "if",
        "int",
        "keys",
        "len",
        "string",
        "not",
        "and",
        "or",
        "in",
    }
)
"""What an expression may call by a bare name and no file has to define."""

LIBRARIES = frozenset(
    {
        "base64",
        "events",
        "googleapis",
        "hash",
        "http",
        "json",
        "list",
        "map",
        "math",
        "retry",
        "sys",
        "text",
        "time",
        "uuid",
    }
)
"""Whose functions the language brings with it."""

CALLED = re.compile(r"(?<![\w.\"])([A-Za-z_]\w*)\s*\(")
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


class BundleError(Exception):
    """The files do not make one workflow; the message says why and where."""


@dataclass(frozen=True)
class File:
    """One YAML file: its text, and its subworkflows by name."""

    path: Path
    text: str
    routines: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "File":
        """Return the file at `path`; BundleError when it is no map of subworkflows."""
        if not path.is_file():
            known = ", ".join(sorted(names(path.parent)))
            raise BundleError(f"there is no {path.name}; known are: {known}")
        text = path.read_text(encoding="utf-8")
        routines = yaml.safe_load(text)
        if not isinstance(routines, dict):
            raise BundleError(f"{path.name} is not a map of subworkflows")
        return cls(path, text, routines)


def names(folder: Path = HERE) -> list[str]:
    """Return the names of the workflows in `folder`."""
    return [path.stem for path in sorted(folder.glob("*.yaml"))]


def bundle(name: str, *, folder: Path = HERE) -> str:
    """Return the source of the workflow `name`, with every library file it uses.

    Raises:
        BundleError: a name is defined twice or nowhere, an expression or the whole is too long.
    """
    main = File.read(folder / f"{name}.yaml")
    library = [File.read(path) for path in sorted((folder / "lib").glob("*.yaml"))]
    home = _homes([main, *library])
    used = _used(main, home)
    for file in used:
        _check_expressions(file)
    source = "\n".join(file.text for file in used)
    size = len(source.encode())
    if size > SOURCE_LIMIT:
        raise BundleError(f"{name} is {size} bytes long; Workflows takes {SOURCE_LIMIT}")
    return source


def _homes(files: list[File]) -> dict[str, File]:
    """Return in which file each subworkflow is defined."""
    home: dict[str, File] = {}
    for file in files:
        for routine in file.routines:
            if routine in home:
                raise BundleError(
                    f"{routine} is defined in {home[routine].path.name} and in {file.path.name}"
                )
            home[routine] = file
    return home


def _used(main: File, home: dict[str, File]) -> list[File]:
    """Return `main` and the files it needs, directly or not, in the order of first use."""
    used = [main]
    for file in used:
        for name in calls(file.routines):
            if name not in home:
                raise BundleError(f"{file.path.name} calls {name}, which no file defines")
            if home[name] not in used:
                used.append(home[name])
    return used


def calls(node: Any) -> Iterator[str]:
    """Yield the name of every subworkflow that `node` calls, in steps and in expressions."""
    for key, value in _scalars(node):
        if not isinstance(value, str):
            continue
        if key == "call":
            if "." not in value:
                yield value
            elif value.split(".")[0] not in LIBRARIES:
                raise BundleError(f"{value} is no function of the library")
        elif _is_expression(value):
            bare = STRINGS.sub('""', value)
            yield from (found for found in CALLED.findall(bare) if found not in HELPERS)
            if key == "predicate" and "." not in bare:
                yield bare.strip()[2:-1].strip()


def _scalars(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield "", name
            yield from _scalars(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _scalars(value, key)
    else:
        yield key, node


def _is_expression(text: str) -> bool:
    return text.strip().startswith("${") and text.strip().endswith("}")


def _check_expressions(file: File) -> None:
    for _, value in _scalars(file.routines):
        if isinstance(value, str) and _is_expression(value) and len(value) > EXPRESSION_LIMIT:
            raise BundleError(
                f"{file.path.name}: an expression of {len(value)} characters, "
                f"{EXPRESSION_LIMIT} are allowed: {value[:60]}…"
            )


def main(arguments: list[str]) -> int:
    """Print the bundle of the workflow that is named; return the exit status."""
    if len(arguments) != 1:
        print(f"usage: python -m workflows.bundle {{{','.join(names())}}}", file=sys.stderr)  # noqa: T201 - a command prints
        return 2
    try:
        sys.stdout.write(bundle(arguments[0]))
    except BundleError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command prints
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
