"""The command: python -m install apply --project P --region R."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from pydantic import TypeAdapter, ValidationError

from install.accounts import accounts
from install.apis import Apis
from install.apply import Group, apply
from install.documents import PlatformDocument, PolicyDocument, checked
from install.errors import InstallError
from install.functions import archive, chain
from install.ground import ground, pool
from install.identity import ServiceIdentity
from install.images import first_page, proxy_source, sources
from install.names import FUNCTIONS, Names
from install.network import PrivateAccess
from install.report import Report
from install.rights import bindings
from install.roles import roles
from install.session import SCOPE, Session
from install.workflows import workflows
from schemas.model import EMAIL_PATTERN, RESOURCE_PATTERN
from schemas.network import Network, Range

ROOT = Path(__file__).resolve().parent.parent
INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""


def groups(names: Names, options: argparse.Namespace, policy: bytes | None) -> list[Group]:
    """Return everything an installation consists of, in the order of making it."""
    offered, proxy = sources(ROOT), proxy_source(ROOT)
    packed = archive(ROOT)
    network = inside(options)
    slow = [chain(names, name, packed, network=network) for name in FUNCTIONS]
    paths = [] if network is None else [PrivateAccess(names=names, network=network)]
    if options.pool != "none":
        slow.append(list(pool(names)))
    return [
        Group("accounts and roles", [[*accounts(names), *roles(names)]]),
        Group("ground", [[*ground(names), ServiceIdentity(names=names), *paths]]),
        Group("rights", [list(bindings(names))]),
        Group(
            "image sources",
            [[*(source.upload(names) for source in (*offered, proxy)), first_page(names)]],
        ),
        Group("workflows", [list(workflows(names))]),
        Group("functions" + (" and pool" if options.pool != "none" else ""), slow),
        Group(
            "registry",
            [
                [
                    PlatformDocument(
                        names=names,
                        sources=offered,
                        proxy=proxy,
                        pool=options.pool != "none",
                        network=network,
                        verify_ranges=tuple(options.verify_range),
                    ),
                    PolicyDocument(names=names, content=policy, admin=options.admin),
                ]
            ],
        ),
    ]


def install(
    session: Session, options: argparse.Namespace, report: Report, *, at_once: bool = True
) -> None:
    """Apply the installation, or only look at it.

    Args:
        session: Whose rights count.
        options: What was asked for on the command line.
        report: What is told of what was done.
        at_once: Whether slow things that need nothing of each other run at the same time.
    """
    policy = None if options.policy is None else checked(options.policy)
    # Without the APIs nothing else can be looked at; so they come before the project's number.
    apply(session, [Group("APIs", [[Apis(project=options.project)]])], report, at_once=at_once)
    names = Names(options.project, _number(session, options.project), options.region)
    apply(session, groups(names, options, policy), report, at_once=at_once)


def inside(options: argparse.Namespace) -> Network | None:
    """Return the network that verify is put into, if one was named."""
    if options.network is None:
        return None
    return Network(name=options.network, subnetwork=options.subnetwork)


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
        "image repository, the pool, workflows and functions. Every option says how it shall be "
        "from now on; one that is left out takes back what it asked for the last time, but a pool.",
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
        "--verbose", action="store_true", help="list what is as wanted, too, not only what changes"
    )
    action.add_argument(
        "--policy", type=Path, metavar="FILE", help="who is in which team, and each team's limits"
    )
    action.add_argument(
        "--admin",
        metavar="EMAIL",
        type=_email,
        help="the admin of a first policy, if there is none yet",
    )
    action.add_argument(
        "--network",
        metavar="NAME",
        type=_resource_name,
        help="the VPC network of the project that verify is put into: needed for servers that only "
        "insiders find (ingress internal); switches private Google access on in the subnetwork",
    )
    action.add_argument(
        "--subnetwork",
        metavar="NAME",
        type=_resource_name,
        help="the subnetwork of --network in the region; the one called like the network if left out",
    )
    action.add_argument(
        "--verify-range",
        metavar="CIDR",
        action="append",
        default=[],
        type=_range,
        help="from where verify calls, e.g. the address of the Cloud NAT of --network: let in by "
        "every load balancer that lets in certain ranges only; may be repeated",
    )
    return command


def _resource_name(text: str) -> str:
    if re.fullmatch(RESOURCE_PATTERN, text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: small letters, digits and hyphens, beginning with a letter"
        )
    return text


def _email(text: str) -> str:
    if re.fullmatch(EMAIL_PATTERN, text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no e-mail address")
    return text


def _range(text: str) -> str:
    try:
        return TypeAdapter[str](Range).validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(error.errors()[0]["msg"]) from error


def understood(arguments: list[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line; ends the program where that is nonsense."""
    command = parser()
    options = command.parse_args(arguments)
    if options.subnetwork is not None and options.network is None:
        command.error("--subnetwork needs --network: the network that it belongs to")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = understood(arguments)
    report = Report(plan=options.plan, verbose=options.verbose)
    try:
        credentials, _project = google.auth.default(scopes=[SCOPE])
        install(Session(credentials), options, report)
    except GoogleAuthError as error:
        print(f"nobody is logged in: {error}", file=sys.stderr)
        print("  what helps: gcloud auth application-default login", file=sys.stderr)
        return 1
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    print(f"\n{report.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
