"""The Dockerfile reader: what it understands, and that it refuses the rest by name and line."""

import pytest

from localcloud.machines.builds.dockerfile import DockerfileError, Instruction, parse


def only(text: str) -> Instruction:
    """Return the instruction after FROM."""
    return parse("FROM python:3.12-slim\n" + text)[1]


def test_comments_continuations_and_case() -> None:
    """Lines are joined, comments between them vanish, names are upper case."""
    found = parse('# syntax=x\n\nfrom scratch\nrun a && \\\n# why\n\n  b\nCMD ["x"]\n')
    assert [(one.line, one.name, one.text) for one in found] == [
        (3, "FROM", "scratch"),
        (4, "RUN", "a &&  b"),
        (8, "CMD", '["x"]'),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("FROM x\nADD a b", 2, "ADD is not supported here"),
        ("FROM x\n\nHEALTHCHECK CMD true", 3, "HEALTHCHECK is not supported"),
        ("FROM x\nRUN --mount=type=cache,target=/x pip", 2, "RUN --mount is not supported"),
        ("FROM --platform=linux/arm64 x", 1, "FROM --platform is not supported"),
        ("FROM x\nCOPY --link a b", 2, "COPY --link is not supported"),
        ("FROM x\nRUN cat <<EOF > y", 2, "RUN with a here-document"),
        ("FROM x\nENV", 2, "ENV wants an argument"),
        ("FROM x\nVOLUME /x", 2, "VOLUME is not supported"),
        ("RUN x\nFROM y", 1, "RUN before the first FROM"),
        ("ARG X", 1, "there is no FROM"),
        ("# escape=`\nFROM x", 1, "escape=` is not supported"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    """Nothing is skipped."""
    with pytest.raises(DockerfileError, match=words) as refused:
        parse(text)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV A=b C=d", {"A": "b", "C": "d"}),
        ("ENV A=$X:rest B='$X' C=\"${X} y\"", {"A": "1:rest", "B": "$X", "C": "1 y"}),
        ("ENV A=${NONE:-fall$X} B=${X:+set} C=${NONE:+set}", {"A": "fall1", "B": "set", "C": ""}),
        ("ENV A=a\\ b", {"A": "a b"}),
        ("ENV A=\\$X", {"A": "$X"}),
        ("ENV OLD form $X", {"OLD": "form 1"}),
        ("ENV A=* B=", {"A": "*", "B": ""}),
        ('LABEL a.b="c d"', {"a.b": "c d"}),
    ],
)
def test_pairs(text: str, expected: dict[str, str]) -> None:
    """Quotes, escapes and variables mean what they mean to Docker."""
    assert only(text).pairs({"X": "1"}) == expected


def test_pairs_without_a_value_are_refused() -> None:
    """A forgotten equals sign is an error."""
    with pytest.raises(DockerfileError, match="line 2: ENV wants KEY=VALUE, found 'C'"):
        only("ENV A=b C").pairs({})


def test_unknown_expansions_are_refused() -> None:
    """Bash operators that Docker lacks too are not guessed at."""
    with pytest.raises(DockerfileError, match=r"cannot expand \$\{X##y\}"):
        only("WORKDIR /${X##y}").expand("/${X##y}", {})


def test_command_forms() -> None:
    """The exec form is JSON; everything else goes to the shell."""
    assert only('CMD ["a", "b c"]').command() == ["a", "b c"]
    assert only("CMD a b").command() == ["/bin/sh", "-c", "a b"]
    assert only("RUN [ -f x ] && y").command() == ["/bin/sh", "-c", "[ -f x ] && y"]


def test_copy_words_and_flags() -> None:
    """Flags come apart from the words."""
    copy = only("COPY --from=build --chown=1:1 /a /b$X/")
    assert copy.flags == {"from": "build", "chown": "1:1"}
    assert copy.words({"X": "2"}) == ["/a", "/b2/"]
    assert only('COPY ["a b", "/c"]').words({}) == ["a b", "/c"]
