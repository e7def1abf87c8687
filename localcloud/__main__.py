"""``python -m localcloud``: run Google Cloud on this machine."""

from __future__ import annotations

import argparse
import sys

from localcloud import commands, fault_commands
from localcloud.daemon import DaemonError


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(prog="localcloud", description="Google Cloud on this machine.")
    verbs = made.add_subparsers(dest="verb", required=True)

    def verb(name: str, function: object, about: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=about, description=about)
        added.add_argument("--state", type=commands.state_folder, default=".localcloud")
        added.set_defaults(function=function)
        return added

    up = verb("up", commands.up, "start it with the state that is there")
    up.add_argument("--project")
    up.add_argument("--region")
    verb("down", commands.down, "stop it and everything it started")
    status = verb("status", commands.status, "say whether it runs and where")
    status.add_argument("--format", help="json, or one field such as project-number")
    env = verb("env", commands.env, "print shell exports for Google's clients and gcloud")
    env.add_argument("--account", default="owner@example.com")
    token = verb("token", commands.token, "print an ID token of somebody")
    token.add_argument("email", metavar="EMAIL")
    token.add_argument("--audience", default=commands.GCLOUD_CLIENT)
    kinds = token.add_mutually_exclusive_group()
    kinds.add_argument("--access", action="store_true", help="an access token instead")
    kinds.add_argument(
        "--refresh",
        action="store_true",
        help="an authorized_user file instead, for GOOGLE_APPLICATION_CREDENTIALS",
    )
    logs = verb("logs", commands.logs, "print log entries")
    logs.add_argument("--service", help="only of this service, function, job or workflow")
    verb("reset", commands.reset, "stop it and forget its state")
    link = verb("link", commands.link, "print the loopback link of a run.app URL")
    link.add_argument("url", metavar="HTTPS_URL")
    link.add_argument("--account", help="add this account's ID token to every request")
    calls = verb("calls", commands.calls, "print the calls the APIs were asked")
    calls.add_argument("--format", choices=("json",), help="one JSON list, with times")
    calls.add_argument("--method", help="only calls of this method id")
    group = verb("group", commands.group, "say who is in a group that policies name")
    group.add_argument("email", metavar="EMAIL")
    group.add_argument("members", metavar="MEMBER", nargs="*", help="as user:ana@example.com")
    faults = verb("faults", commands.faults, "have things go wrong")
    fault_commands.add(faults, folder=commands.state_folder)
    verb("daemon", commands.be_the_daemon, "serve in the foreground")
    return made


def main(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    if arguments[:1] == ["workflows"]:
        return commands.workflows(arguments[1:])
    given = parser().parse_args(arguments)
    try:
        return int(given.function(given))
    except DaemonError as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
