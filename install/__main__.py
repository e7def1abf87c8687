"""The command: python -m install apply --project P --region R."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError

from install.accounts import accounts, bindings, roles
from install.apis import Apis
from install.apply import Group, Report, apply
from install.documents import PlatformDocument, PolicyDocument, checked
from install.errors import InstallError
from install.functions import archive, chain
from install.ground import ground, pool
from install.images import sources
from install.names import FUNCTIONS, Names
from install.session import SCOPE, Session
from install.workflows import workflows

ROOT = Path(__file__).resolve().parent.parent


def groups(names: Names, options: argparse.Namespace, policy: bytes | None) -> list[Group]:
    """Return everything an installation consists of, in the order of making it."""
    offered = sources(ROOT)
    packed = archive(ROOT)
    slow = [chain(names, name, packed) for name in FUNCTIONS]
    if options.pool != "none":
        slow.append(list(pool(names)))
    return [
        Group("accounts and roles", [[*accounts(names), *roles(names)]]),
        Group("ground", [list(ground(names))]),
        Group("rights", [list(bindings(names))]),
        Group("image sources", [[source.upload(names) for source in offered]]),
        Group("workflows", [list(workflows(names))]),
        Group("functions" + (" and pool" if options.pool != "none" else ""), slow),
        Group(
            "registry",
            [
                [
                    PlatformDocument(names=names, sources=offered, pool=options.pool != "none"),
                    PolicyDocument(names=names, content=policy, admin=options.admin),
                ]
            ],
        ),
    ]


def install(session: Session, options: argparse.Namespace, *, at_once: bool = True) -> Report:
    """Apply the installation, or only look at it, and return what was done.

    Args:
        session: Whose rights count.
        options: What was asked for on the command line.
        at_once: Whether slow things that need nothing of each other run at the same time.
    """
    report = Report(plan=options.plan, at_once=at_once)
    policy = None if options.policy is None else checked(options.policy)
    # Without the APIs nothing else can be looked at; so they come before the project's number.
    apply(session, [Group("APIs", [[Apis(project=options.project)]])], report)
    names = Names(options.project, _number(session, options.project), options.region)
    apply(session, groups(names, options, policy), report)
    return report


def _number(session: Session, project: str) -> str:
    found: Any = session.send(
        "GET", f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
    )
    return str(found["name"]).removeprefix("projects/")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m install",
        description="Put Berth into a Google Cloud project. Running it again changes only what "
        "has changed.",
    )
    actions = command.add_subparsers(dest="action", required=True)
    action = actions.add_parser(
        "apply",
        help="make what Berth needs, or bring it up to date",
        description="Make what Berth needs in a project: APIs, accounts and roles, buckets, topic, "
        "image repository, the pool, workflows and functions.",
    )
    action.add_argument("--project", required=True, help="the project's id")
    action.add_argument("--region", required=True, help="where everything lies, e.g. europe-west1")
    action.add_argument(
        "--pool",
        choices=("berth-pool-1", "none"),
        default="berth-pool-1",
        help="the shared Cloud SQL instance; none leaves it out, and pooled requests are refused",
    )
    action.add_argument("--plan", action="store_true", help="say what would be done; do nothing")
    action.add_argument(
        "--policy", type=Path, metavar="FILE", help="who is in which team, and each team's limits"
    )
    action.add_argument(
        "--admin", metavar="EMAIL", help="the admin of a first policy, if there is none yet"
    )
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = parser().parse_args(arguments)
    started = time.monotonic()
    try:
        credentials, _project = google.auth.default(scopes=[SCOPE])
        report = install(Session(credentials), options)
    except GoogleAuthError as error:
        print(f"nobody is logged in: {error}", file=sys.stderr)
        print("  what helps: gcloud auth application-default login", file=sys.stderr)
        return 1
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    done = ", ".join(f"{count} {word}" for word, count in sorted(report.counts.items()))
    print(f"\n{done} in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
