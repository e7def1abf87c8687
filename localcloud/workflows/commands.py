"""``workflows check FILE...`` and ``workflows run FILE``: the language at the command line."""

import argparse
import json
import os
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, Final, TextIO

from localcloud.clock import Clock, RealClock, VirtualClock
from localcloud.command_line import progress
from localcloud.workflows import web
from localcloud.workflows.code.compiler import compile_source
from localcloud.workflows.code.evaluator import Program
from localcloud.workflows.errors import DeployError, Position, WorkflowError, summary
from localcloud.workflows.report import payload_text, way
from localcloud.workflows.running.engine import Engine
from localcloud.workflows.running.machine import Execution, Settings
from localcloud.workflows.source.excerpt import excerpt
from localcloud.workflows.values import from_json, to_json

_FAULT: Final = 1
_USAGE: Final = 2
_INTERRUPTED: Final = 130
_STDIN: Final = "-"
_DESCRIPTION: Final = "Run or check a Workflows source on its own, without a cloud."
_EPILOG: Final = (
    "exit code: 0 all is well; 1 the workflow is at fault: it cannot be deployed or it failed; "
    "2 the command is: no such file, or --data is not JSON; 130 interrupted"
)


def main(argv: list[str]) -> int:
    """Run a command; give its exit code: 0 well, 1 the workflow is at fault, 2 the command is."""
    try:
        options = _parser().parse_args(argv)
        code: int = options.command(options)
        sys.stdout.flush()
    except SystemExit as stop:
        return int(stop.code or 0) if isinstance(stop.code, int) else _USAGE
    except _UnusableError as error:
        _say(sys.stderr, str(error))
        return _USAGE
    except BrokenPipeError:
        # Whoever read the result has seen enough; closing must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


class _UnusableError(Exception):
    """What was given to the command cannot be used."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud workflows", description=_DESCRIPTION, epilog=_EPILOG
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check", help="say whether sources could be deployed", epilog=_EPILOG
    )
    check.add_argument(
        "files", nargs="+", metavar="FILE", help="a source, YAML or JSON; - is stdin"
    )
    check.set_defaults(command=_check)
    run = commands.add_parser("run", help="run a source and print its result", epilog=_EPILOG)
    run.add_argument("file", metavar="FILE", help="a source, YAML or JSON; - is stdin")
    run.add_argument(
        "--data", metavar="JSON", help="the execution argument, as JSON, or @FILE to read it from"
    )
    run.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="what sys.get_env sees"
    )
    run.add_argument("--no-wait", action="store_true", help="let time jump instead of sleeping")
    run.set_defaults(command=_run)
    return parser


def _check(options: argparse.Namespace) -> int:
    return max(_check_one(file) for file in options.files)


def _check_one(file: str) -> int:
    try:
        program = _compile(file, _read(file))
    except _UnusableError as error:
        _say(sys.stderr, str(error))
        return _USAGE
    if program is None:
        return _FAULT
    number = len(program.routines)
    _say(sys.stdout, f"{file}: ok, {number} routine{'s' if number > 1 else ''}")
    return 0


def _run(options: argparse.Namespace) -> int:
    source = _read(options.file)
    argument = _argument(options.data)
    settings = Settings(environment=_environment(options.file, options.env))
    program = _compile(options.file, source)
    if program is None:
        return _FAULT
    clock: Clock = VirtualClock() if options.no_wait else RealClock()
    engine = Engine(clock, web.send, tokens=web.ShellTokens(), write_log=_print_log)
    execution = Execution(program, argument, host=engine, settings=settings)
    ended = threading.Event()
    execution.on_end.append(lambda _execution: ended.set())
    execution.start()
    try:
        with progress.told(lambda: _where(execution)):
            if isinstance(clock, VirtualClock):
                clock.run_until_idle()
            else:
                ended.wait()
    except KeyboardInterrupt:
        execution.cancel()
        _say(sys.stderr, "cancelled")
        return _INTERRUPTED
    finally:
        engine.close()
        clock.close()
    if execution.error is not None:
        _show_failure(options.file, source, execution.error)
        return _FAULT
    _say(sys.stdout, to_json(execution.result, indent="  "))
    return 0


def _where(execution: Execution) -> str:
    """Say how far an execution is; another thread runs it meanwhile."""
    last = "".join(f', now at "{entry.step}"' for entry in execution.history.entries[-1:])
    return f"running: {execution.steps} steps{last}"


def _compile(file: str, source: str) -> Program | None:
    try:
        return compile_source(source)
    except DeployError as error:
        _show(file, source, str(error), error.position)
        return None


def _show_failure(file: str, source: str, error: WorkflowError) -> None:
    """Print what an execution failed of: the place, the way there, and the error value."""
    _show(file, source, summary(error.value), error.trace[0].position if error.trace else None)
    for line in way(error):
        _say(sys.stderr, line)
    _say(sys.stderr, f"payload: {payload_text(error.value)}")


def _argument(given: str | None) -> Any:
    if given is None:
        return None
    text = _read(given[1:]) if given.startswith("@") else given
    try:
        return from_json(text)
    except ValueError as error:
        message = f"--data is not JSON: {error}"
        raise _UnusableError(message) from error


def _environment(file: str, given: list[str]) -> dict[str, str]:
    """Give what ``sys.get_env`` sees: what this shell and this run are, and what --env says."""
    project = os.environ.get("GOOGLE_CLOUD_PROJECT") or os.environ.get("CLOUDSDK_CORE_PROJECT")
    location = os.environ.get("CLOUDSDK_WORKFLOWS_LOCATION")
    known = {
        "GOOGLE_CLOUD_PROJECT_ID": project,
        "GOOGLE_CLOUD_LOCATION": location,
        "GOOGLE_CLOUD_WORKFLOW_ID": Path(file).name.partition(".")[0],
        "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": str(uuid.uuid4()),
    }
    found = {name: value for name, value in known.items() if value}
    for item in given:
        name, sign, value = item.partition("=")
        if not (name and sign):
            message = f"--env takes NAME=VALUE; got: {item}"
            raise _UnusableError(message)
        found[name] = value
    return found


def _print_log(_execution: Execution, entry: dict[str, Any]) -> None:
    payload = entry.get("textPayload")
    text = payload if payload is not None else json.dumps(entry.get("jsonPayload"))
    _say(sys.stderr, f"{entry['severity']}: {text}")


def _read(file: str) -> str:
    try:
        if file == _STDIN:
            return sys.stdin.read()
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise _UnusableError(message) from error
    except UnicodeDecodeError as error:
        message = f"{file}: not UTF-8 text: {error.reason} at byte {error.start}"
        raise _UnusableError(message) from error


def _show(file: str, source: str, message: str, position: Position | None) -> None:
    """Print a message and the place it is about."""
    if position is None:
        _say(sys.stderr, f"{file}: {message}")
        return
    _say(sys.stderr, f"{file}:{position.line}:{position.column}: {message}")
    for line in excerpt(source, position):
        _say(sys.stderr, line)


def _say(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
