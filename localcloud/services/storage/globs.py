"""The pattern language of ``matchGlob``, turned into regular expressions."""

import re

from localcloud.errors import ApiError


def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the expression that matches the object names *glob* describes.

    ``*`` and ``?`` stop at a slash, ``**`` does not, ``[abc]`` and ``[!a-z]`` are sets and
    ``{a,b}`` is a choice, which may hold patterns and further choices.
    """
    expression, end = _sequence(glob, 0, inside=False)
    if end != len(glob):
        raise _bad(glob)
    return re.compile(expression, re.DOTALL)


def _bad(glob: str) -> ApiError:
    return ApiError(400, f"Invalid glob pattern: '{glob}'", reason="invalid")


def _sequence(glob: str, at: int, *, inside: bool) -> tuple[str, int]:
    out: list[str] = []
    while at < len(glob):
        sign = glob[at]
        if inside and sign in ",}":
            break
        take = _SIGNS.get(sign)
        if take is None:
            out.append(re.escape(sign))
            at += 1
        else:
            piece, at = take(glob, at)
            out.append(piece)
    return "".join(out), at


def _star(glob: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(glob) and glob[end] == "*":
        end += 1
    if end - at == 1:
        return "[^/]*", end
    # "**/" also stands for no folder at all.
    if glob[end : end + 1] == "/" and (at == 0 or glob[at - 1] == "/"):
        return "(?:.*/)?", end + 1
    return ".*", end


def _question(_glob: str, at: int) -> tuple[str, int]:
    return "[^/]", at + 1


def _set(glob: str, at: int) -> tuple[str, int]:
    end = glob.find("]", at + 2)
    if end < 0:
        raise _bad(glob)
    body = glob[at + 1 : end]
    sign = "^" if body[0] in "!^" else ""
    body = body[1:] if sign else body
    try:
        re.compile(f"[{_members(body)}]")
    except re.error as error:
        raise _bad(glob) from error
    return f"[{sign}{_members(body)}]", end + 1


def _members(body: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", body)


def _choice(glob: str, at: int) -> tuple[str, int]:
    options: list[str] = []
    while True:
        option, at = _sequence(glob, at + 1, inside=True)
        options.append(option)
        if at >= len(glob):
            raise _bad(glob)
        if glob[at] == "}":
            return f"(?:{'|'.join(options)})", at + 1


def _escape(glob: str, at: int) -> tuple[str, int]:
    if at + 1 >= len(glob):
        raise _bad(glob)
    return re.escape(glob[at + 1]), at + 2


_SIGNS = {"*": _star, "?": _question, "[": _set, "{": _choice, "\\": _escape}
