"""Entrants: everybody a deployment lets in, the same under every access mode that has members."""

from collections.abc import Iterable, Iterator

from planner.target import Target, account


def entrants(target: Target, members: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of a step and whom it lets in: verify, the trainings, the members; each once.

    Args:
        target: The deployment.
        members: Who the request names; the one who asked is among them.
    """
    verify = account(target.platform.accounts.verify)
    training = account(target.training_account)
    ours = {verify}
    yield "verify_may_enter", verify
    if target.request.training_account is not None:
        ours.add(training)
        yield "training_may_enter", training
    others = (member for member in members if member not in ours)
    for number, member in enumerate(others, start=1):
        yield f"member_{number}_may_enter", member


def named(members: Iterable[str]) -> str:
    """Return a few of the members, as many as fit in a line."""
    some = tuple(members)
    return f"{', '.join(some[:3]) or 'nobody yet'}{' …' if len(some) > 3 else ''}"  # noqa: PLR2004 - as many as fit in a line
