"""Notes: what somebody who asks ought to know and did not ask; nothing that is refused is here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from planner.access import iap, oauth2_proxy
from planner.serving import app_engine
from planner.target import Target
from schemas.access import member_of


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing worth saying."""

    say: Callable[[Target], Iterator[str]]
    """Yields it, where it is true of a deployment."""
    passes: bool = False
    """Whether there is no point in it once the deployment is READY, or it is said elsewhere then."""


def of(target: Target, *, ready: bool) -> tuple[str, ...]:
    """Return what is worth knowing about what was asked for.

    Args:
        target: The deployment.
        ready: Whether it is READY.
    """
    return tuple(text for note in NOTES if not (ready and note.passes) for text in note.say(target))


def who_asked_is_kept_out(target: Target) -> Iterator[str]:
    """Say that the team's own limit keeps out the one who asked, an operator perhaps."""
    guard, who = target.iap, target.spec.created_by
    domain = _domain(who)
    if guard is None or not guard.allowed_domains or not member_of(who).startswith("user:"):
        return
    if domain not in guard.allowed_domains:
        yield (
            f"{who}, who asked, cannot enter: Identity-Aware Proxy lets in people of "
            f"{', '.join(guard.allowed_domains)} only; to enter, too, ask for {domain} in "
            "allowed_domains"
        )


def google_s_client_is_for_the_organisation(target: Target) -> Iterator[str]:
    """Say that people of other organisations need a client of the team's own."""
    guard, who = target.iap, target.spec.created_by
    if guard is None or guard.oauth_client is not None or not member_of(who).startswith("user:"):
        return
    home = _domain(who)
    others = [
        member
        for member in guard.members
        if member.startswith(("user:", "domain:")) and _domain(member) != home
    ]
    if others:
        yield (
            f"without an oauth_client of the team's own, people outside the project's organisation "
            f"cannot sign in; if {', '.join(others[:3])}{' …' if len(others) > 3 else ''} are, "  # noqa: PLR2004 - as many as fit in a line
            "bring one"
        )


def redirect_uris_are_entered_by_hand(target: Target) -> Iterator[str]:
    """Say where Google's sign-in of oauth2-proxy has to be allowed to send people back to."""
    if target.request.access.mode == "oauth2_proxy":
        uris = ", ".join(oauth2_proxy.redirect_uris(target))
        yield f"enter in the OAuth client, as authorized redirect URI (no API can): {uris}"


def iap_returns_by_hand(target: Target) -> Iterator[str]:
    """Say the same for a client that Identity-Aware Proxy signs people in with."""
    if target.iap is not None and target.iap.oauth_client is not None:
        yield (
            "enter in the OAuth client, as authorized redirect URI (no API can), with its own id in "
            f"it: {iap.RETURNS_TO.format('CLIENT_ID')}"
        )


def records_are_made_by_hand(target: Target) -> Iterator[str]:
    """Say that somebody has to make the records, and when it is known which."""
    balancer = target.request.load_balancer
    if balancer is not None and balancer.dns_zone is None:
        yield (
            f"two DNS records of {balancer.domain} are for you to make: GET shows them in "
            "dns_records within a minute or two, long before the rest is made"
        )


def a_certificate_takes_time(target: Target) -> Iterator[str]:
    """Say that READY comes before the domain works."""
    balancer = target.request.load_balancer
    if balancer is not None:
        yield (
            f"READY does not wait for the certificate of {balancer.domain}, which Google issues "
            "minutes after the records are seen, sometimes hours; certificate says how far it is"
        )


def addresses_nobody_arrives_from(target: Target) -> Iterator[str]:
    """Say that ranges of the other kind let nobody in."""
    balancer = target.request.load_balancer
    ranges = () if balancer is None else balancer.allowed_ranges
    useless = [text for text in ranges if ip_network(text).version != 4]  # noqa: PLR2004 - IPv4
    if useless:
        yield (
            f"nobody arrives from {', '.join(useless[:3])}{' …' if len(useless) > 3 else ''}: the "  # noqa: PLR2004 - as many as fit in a line
            "load balancer has an IPv4 address only"
        )


def an_application_is_for_ever(target: Target) -> Iterator[str]:
    """Say what cannot be taken back."""
    if target.request.serving.platform == "app_engine":
        yield (
            f"a project has one App Engine application, in one region, for ever: if "
            f"{target.project} has none yet, one is made in {app_engine.place(target)}, and "
            "stays when this deployment goes"
        )


NOTES = (
    Note(say=who_asked_is_kept_out),
    Note(say=google_s_client_is_for_the_organisation),
    Note(say=redirect_uris_are_entered_by_hand, passes=True),
    Note(say=iap_returns_by_hand, passes=True),
    Note(say=records_are_made_by_hand, passes=True),
    Note(say=a_certificate_takes_time, passes=True),
    Note(say=addresses_nobody_arrives_from),
    Note(say=an_application_is_for_ever, passes=True),
)
"""Everything worth saying, what concerns people first."""


def _domain(name: str) -> str:
    return name.replace(":", "@").rpartition("@")[2].lower()
