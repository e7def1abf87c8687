"""Reads a Dockerfile: the instructions local Cloud Build can carry out, and none besides.

What is not understood is refused by name and line, never skipped: an image that silently lacks a
step would be worse than none.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

INSTRUCTIONS = frozenset(
    ["FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD", "EXPOSE", "LABEL"]
)
FLAGS = {"COPY": {"from", "chown", "chmod"}}
VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?P<plain>\w+)|\$\{(?P<braced>\w+)(?:(?P<how>:[-+])(?P<word>[^}]*))?\}"
    r"|(?P<bad>\$\{[^}]*\}?)"
)


class DockerfileError(Exception):
    """The Dockerfile cannot be carried out; the message names the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"Dockerfile line {line}: {message}")
        self.line = line


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name, its flags and the text after them."""

    line: int
    name: str
    text: str
    flags: Mapping[str, str] = field(default_factory=dict)

    def refuse(self, message: str) -> DockerfileError:
        """Make the error that says what is wrong with this instruction."""
        return DockerfileError(self.line, message)

    @property
    def source(self) -> str:
        """The instruction as it was written, on one line."""
        flags = [f"--{key}={value}" for key, value in self.flags.items()]
        return " ".join([self.name, *flags, self.text])

    def exec_form(self) -> list[str] | None:
        """Return the words of ``["a", "b"]``, or None for the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except json.JSONDecodeError:
            return None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            return None
        return words

    def command(self) -> list[str]:
        """Return the command line of RUN, CMD or ENTRYPOINT in either form."""
        return self.exec_form() or ["/bin/sh", "-c", self.text]

    def words(self, variables: Mapping[str, str]) -> list[str]:
        """Split into words as COPY does, with variables put in."""
        if (words := self.exec_form()) is not None:
            return [self.expand(word, variables) for word in words]
        return [self.expand(word, variables) for word in self.split()]

    def split(self) -> list[str]:
        """Split at white space outside quotes, quotes removed."""
        try:
            return shlex.split(self.text)
        except ValueError as error:
            raise self.refuse(f"{self.name}: {error}") from None

    def pairs(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the KEY=VALUE pairs of ENV or LABEL; the old form ``ENV KEY VALUE`` is one pair."""
        found: dict[str, str] = {}
        words = _quoted_words(self)
        if words and "=" not in words[0]:
            key, _, value = self.text.partition(" ")
            return {key: self.expand(value.strip(), variables)}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals or not key:
                raise self.refuse(f"{self.name} wants KEY=VALUE, found {word!r}")
            found[_unquote(self, key, {})] = _unquote(self, value, variables)
        return found

    def expand(self, text: str, variables: Mapping[str, str]) -> str:
        """Put variables into ``text``: $NAME, ${NAME}, ${NAME:-word}, ${NAME:+word}."""

        def put(match: re.Match[str]) -> str:
            if match["bad"] is not None:
                raise self.refuse(f"{self.name}: cannot expand {match['bad']}")
            if match["escaped"] is not None:
                return match["escaped"]
            value = variables.get(match["plain"] or match["braced"], "")
            if match["how"] == ":-":
                return value or self.expand(match["word"], variables)
            if match["how"] == ":+":
                return self.expand(match["word"], variables) if value else ""
            return value

        return VARIABLE.sub(put, text)


def _quoted_words(instruction: Instruction) -> list[str]:
    """Split at white space outside quotes, quotes kept: a single-quoted $X must stay as it is."""
    pattern = r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+"""
    words = re.findall(pattern, instruction.text)
    if "".join(words) != re.sub(r"\s+", "", instruction.text) and not re.search(
        r"[\"'\\]", instruction.text
    ):
        raise instruction.refuse(f"{instruction.name}: cannot read {instruction.text!r}")
    return words


def _unquote(instruction: Instruction, word: str, variables: Mapping[str, str]) -> str:
    pieces = re.findall(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|((?:[^\s"'\\]|\\.)+)""", word)
    return "".join(
        single or instruction.expand(double or plain, variables) for single, double, plain in pieces
    )


def parse(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile, all of them known."""
    found = [_instruction(line, body) for line, body in _logical_lines(text)]
    if not any(one.name == "FROM" for one in found):
        raise DockerfileError(1, "there is no FROM")
    for one in found:
        if one.name == "FROM":
            break
        if one.name != "ARG":
            raise one.refuse(f"{one.name} before the first FROM")
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines; comments inside them are dropped, as Docker does."""
    body, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if stripped.startswith("#"):
            directive = re.fullmatch(r"#\s*escape\s*=\s*(\S+)", stripped)
            if directive and directive[1] != "\\":
                raise DockerfileError(number, f"escape={directive[1]} is not supported")
            continue
        if not body and not stripped:
            continue
        start = start or number
        if stripped.endswith("\\"):
            body += stripped[:-1] + " "
            continue
        if body and not stripped:
            continue
        yield start, body + stripped
        body, start = "", 0
    if body.strip():
        yield start, body.strip()


def _instruction(line: int, body: str) -> Instruction:
    name, _, rest = body.partition(" ")
    name, rest = name.upper(), rest.strip()
    if name not in INSTRUCTIONS:
        known = ", ".join(sorted(INSTRUCTIONS))
        raise DockerfileError(line, f"{name} is not supported here (known: {known})")
    flags: dict[str, str] = {}
    while (match := re.match(r"--([a-z-]+)(?:=(\S+))?\s+", rest)) and name in {
        *("FROM", "RUN", "COPY"),
    }:
        if match[1] not in FLAGS.get(name, set()):
            raise DockerfileError(line, f"{name} --{match[1]} is not supported here")
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    if not rest:
        raise DockerfileError(line, f"{name} wants an argument")
    if name in {"RUN", "COPY"} and re.search(r"<<-?[\"']?[A-Za-z_]", rest):
        raise DockerfileError(line, f"{name} with a here-document is not supported here")
    return Instruction(line, name, rest, flags)
