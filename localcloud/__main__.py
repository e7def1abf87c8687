"""``python -m localcloud``: run Google Cloud on this machine."""

from __future__ import annotations

import argparse
import os
import sys

from localcloud.command_line import arguments, commands, fault_commands
from localcloud.command_line.daemon import DaemonError
from localcloud.command_line.gcloud_settings import GCLOUD_CLIENT

_PROGRAM = "python -m localcloud"
_USE = """\
first steps:
  python -m localcloud up
  eval "$(python -m localcloud env)"     # then gcloud, curl and Google's libraries use it
  gcloud storage buckets list
  python -m localcloud down

exit code: 0 all is well; 1 it cannot be done; 2 the command is wrong; 3 `status`: it is down
"""


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Google Cloud on this machine.",
        epilog=_USE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_state(made, default=arguments.state_folder(arguments.STATE))
    verbs = made.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def verb(name: str, function: object, about: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=about, description=about)
        _add_state(added, default=argparse.SUPPRESS)
        added.set_defaults(function=function)
        return added

    up = verb("up", commands.up, "start it with the state that is there")
    up.add_argument("--project", type=arguments.project_id, help="ID; the first start decides")
    up.add_argument("--region", type=arguments.region, help="the first start decides")
    verb("down", commands.down, "stop it and everything it started")
    status = verb("status", commands.status, "say whether it runs and where")
    status.add_argument("--format", help="json, or one field such as project-number")
    env = verb("env", commands.env, "print shell exports for Google's clients and gcloud")
    env.add_argument(
        "--account",
        metavar="EMAIL",
        type=arguments.email,
        default="owner@example.com",
        help="who calls, a person or a service account; %(default)s unless given",
    )
    env.add_argument(
        "--network", metavar="NAME", help="of a machine inside this VPC network of the project"
    )
    token = verb("token", commands.token, "print an ID token of somebody")
    token.add_argument("email", metavar="EMAIL", type=arguments.email)
    token.add_argument(
        "--audience", default=GCLOUD_CLIENT, help="gcloud's own client ID unless given"
    )
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
    link = verb("link", commands.link, "print a link for a browser to a server's https URL")
    link.add_argument("url", metavar="HTTPS_URL")
    link.add_argument(
        "--account",
        metavar="EMAIL",
        type=arguments.email,
        help="add this account's ID token to every request",
    )
    calls = verb("calls", commands.calls, "print the calls the APIs were asked")
    calls.add_argument("--format", choices=("json",), help="one JSON list, with times")
    calls.add_argument("--method", help="only calls of this method id")
    group = verb("group", commands.group, "say who is in a group that policies name")
    group.add_argument("email", metavar="EMAIL", type=arguments.email)
    group.add_argument("members", metavar="MEMBER", nargs="*", help="as user:ana@example.com")
    record = verb("record", commands.record, "keep a DNS record with another provider")
    record.add_argument("name", metavar="NAME")
    record.add_argument("type", metavar="TYPE", help="A, CNAME, CAA, ...")
    record.add_argument("data", metavar="DATA", nargs="*", help="without any the record goes")
    faults = verb("faults", commands.faults, "have things go wrong")
    fault_commands.add(faults, folder=arguments.state_folder)
    verb("daemon", commands.be_the_daemon, "serve in the foreground")
    # only for the list of commands: the interpreter has a command line of its own
    verbs.add_parser("workflows", help="run or check a workflow on its own, without a cloud")
    return made


def _add_state(to: argparse.ArgumentParser, *, default: object) -> None:
    to.add_argument(
        "--state",
        metavar="DIR",
        type=arguments.state_folder,
        default=default,
        help=f"where everything is kept; {arguments.STATE} unless given",
    )


def main(words: list[str]) -> int:
    """Run one command and give its exit code."""
    if words[:1] == ["workflows"]:
        return commands.workflows(words[1:])
    given = parser().parse_args(words)
    try:
        return int(given.function(given))
    except DaemonError as error:
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # whoever read the result has seen enough; closing must not fail once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
