"""``workflows check FILE...`` and ``workflows run FILE``: the language at the command line."""

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from localcloud.clock import Clock, RealClock, VirtualClock
from localcloud.workflows import web
from localcloud.workflows.compiler import compile_source
from localcloud.workflows.engine import Engine
from localcloud.workflows.errors import DeployError, Position
from localcloud.workflows.machine import Execution, Settings
from localcloud.workflows.report import context_text
from localcloud.workflows.values import from_json, to_json

_USAGE = 2


def main(argv: list[str]) -> int:
    """Run a command; give its exit code: 0 well, 1 the workflow is at fault, 2 the command is."""
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        code: int = options.command(options)
    except SystemExit as stop:
        return int(stop.code or 0) if isinstance(stop.code, int) else _USAGE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workflows", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="say whether sources could be deployed")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(command=_check)
    run = commands.add_parser("run", help="run a source and print its result")
    run.add_argument("file", type=Path, metavar="FILE")
    run.add_argument("--data", default=None, metavar="JSON", help="the argument, as JSON")
    run.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="what sys.get_env sees"
    )
    run.add_argument("--no-wait", action="store_true", help="let time jump instead of sleeping")
    run.set_defaults(command=_run)
    return parser


def _check(options: argparse.Namespace) -> int:
    failed = 0
    for file in options.files:
        source = _read(file)
        if source is None:
            return _USAGE
        try:
            program = compile_source(source)
        except DeployError as error:
            failed += 1
            _show(sys.stderr, file, source, str(error), error.position)
        else:
            _say(sys.stdout, f"{file}: ok, {len(program.routines)} routines")
    return 1 if failed else 0


def _run(options: argparse.Namespace) -> int:
    source = _read(options.file)
    if source is None:
        return _USAGE
    try:
        argument = None if options.data is None else from_json(options.data)
    except ValueError as error:
        _say(sys.stderr, f"--data is not JSON: {error}")
        return _USAGE
    try:
        program = compile_source(source)
    except DeployError as error:
        _show(sys.stderr, options.file, source, str(error), error.position)
        return 1
    clock: Clock = VirtualClock() if options.no_wait else RealClock()
    engine = Engine(clock, web.send, tokens=web.ShellTokens(), write_log=_print_log)
    settings = Settings(environment=_environment(options.env))
    execution = Execution(program, argument, host=engine, settings=settings)
    ended = threading.Event()
    execution.on_end.append(lambda _execution: ended.set())
    execution.start()
    try:
        if isinstance(clock, VirtualClock):
            clock.run_until_idle()
        else:
            ended.wait()
    except KeyboardInterrupt:
        execution.cancel()
        _say(sys.stderr, "cancelled")
        return 1
    finally:
        engine.close()
        clock.close()
    return _report(options.file, source, execution)


def _report(file: Path, source: str, execution: Execution) -> int:
    if execution.error is None:
        _say(sys.stdout, to_json(execution.result, indent="  "))
        return 0
    trace = execution.error.trace
    _show(
        sys.stderr,
        file,
        source,
        context_text(execution.error),
        trace[0].position if trace else None,
    )
    return 1


def _environment(given: list[str]) -> dict[str, str]:
    """Give what ``sys.get_env`` sees: the project of this shell, and what --env says."""
    project = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    found = {"GOOGLE_CLOUD_PROJECT_ID": project} if project else {}
    for item in given:
        name, _, value = item.partition("=")
        found[name] = value
    return found


def _print_log(_execution: Execution, entry: dict[str, Any]) -> None:
    payload = entry.get("textPayload")
    text = payload if payload is not None else json.dumps(entry.get("jsonPayload"))
    _say(sys.stderr, f"{entry['severity']}: {text}")


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _say(sys.stderr, f"{file}: {error}")
        return None


def _show(stream: TextIO, file: Path, source: str, message: str, position: Position | None) -> None:
    """Print a message with a caret under the place it is about."""
    if position is None:
        _say(stream, f"{file}: {message}")
        return
    _say(stream, f"{file}:{position.line}:{position.column}: {message}")
    lines = source.splitlines()
    if position.line <= len(lines):
        line = lines[position.line - 1]
        width = max(1, min(position.length, len(line) - position.column + 1))
        _say(stream, f"    {line}")
        _say(stream, "    " + " " * (position.column - 1) + "^" * width)


def _say(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
