"""``sys``: the environment, the time, logging and sleeping."""

from typing import Any, Final

from localcloud.severities import SEVERITIES
from localcloud.workflows import limits
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running, Sleep
from localcloud.workflows.errors import type_error, value_error
from localcloud.workflows.running.machine_view import Run
from localcloud.workflows.stdlib.registry import blocking, context_function
from localcloud.workflows.stdlib.time_ import parse_time
from localcloud.workflows.values import copy, expect_type, shown, to_json, type_name

_LOGGED: Final = (int, float, bool, str, list, dict)


@context_function("sys.get_env", "name", "default?")
def get_env(run: Run, name: Any, default: Any = None) -> str | None:
    """Give an environment variable, or the default, or null."""
    variable: str = expect_type(name, str, "name")
    if default is not None:
        expect_type(default, str, "default")
    found: str | None = run.environment.get(variable, default)
    return found


@context_function("sys.now")
def now(run: Run) -> float:
    """Give the Unix time."""
    return float(run.observe(run.now))


def _sleep(seconds: float) -> Running:
    if not 0 <= seconds <= limits.YEAR:
        raise value_error(f"cannot sleep for {seconds} seconds: it must be between 0 and a year")
    yield Sleep(seconds)


@blocking("sys.sleep", "seconds")
def sleep(_frame: Frame, arguments: dict[str, Any]) -> Running:
    """Wait for some seconds."""
    yield from _sleep(expect_type(arguments["seconds"], float, "seconds"))


@blocking("sys.sleep_until", "time")
def sleep_until(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Wait until a time; one that is over means no wait."""
    text: str = expect_type(arguments["time"], str, "time")
    try:
        moment = parse_time(text)
    except ValueError as error:
        raise value_error(f"time is not an ISO 8601 time: {shown(text)}") from error
    seconds = moment - frame.run.observe(frame.run.now)
    if seconds > 0:
        yield from _sleep(seconds)


@blocking("sys.log", "data?", "severity?", "text?", "json?", "timeout?")
def log(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Write a log entry from exactly one of data, text and json."""
    given = [key for key in ("data", "text", "json") if arguments.get(key) is not None]
    if len(given) != 1:
        raise type_error(f"sys.log takes exactly one of data, text and json; got {len(given)}")
    severity: str = expect_type(arguments.get("severity", "DEFAULT"), str, "severity")
    if severity not in SEVERITIES:
        raise value_error(f"severity '{severity}' is not one of {', '.join(SEVERITIES)}")
    if "timeout" in arguments:
        expect_type(arguments["timeout"], float, "timeout")
    value = arguments[given[0]]
    if given[0] == "json":
        expect_type(value, dict, "json")
    if type(value) not in _LOGGED:
        raise type_error(f"{given[0]} of sys.log cannot be a {type_name(value)}")
    entry: dict[str, Any] = {"severity": severity}
    if type(value) is dict and given[0] != "text":
        to_json(value)
        entry["jsonPayload"] = copy(value)
    else:
        entry["textPayload"] = value if type(value) is str else to_json(value)
    frame.run.log(entry)
    return
    yield  # makes this a generator, as blocking functions are
