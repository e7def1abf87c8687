"""Hosts: the names that a tracking server answers at, which it must know to refuse all others."""

from planner.observed import NotObservedError, Observed
from planner.target import Target

APPLICATION = "app_engine_host"
"""Among the observed: the application's own host name. Its middle is a code for the region that only
Google knows for sure, and an application made before 2020 may have none, so it is read, not guessed."""


def of(target: Target, observed: Observed) -> tuple[str, ...]:
    """Return every host name the server answers at; with a load balancer that is the domain."""
    request = target.request
    if request.serving.platform == "app_engine" and request.load_balancer is None:
        return (own_of_app_engine(target, observed),)
    return target.hosts


def own_of_app_engine(target: Target, observed: Observed) -> str:
    """Return the name that App Engine gives the service, whatever stands in front of it."""
    application = observed.get(APPLICATION)
    if not isinstance(application, str) or not application:
        raise NotObservedError(APPLICATION)
    # "-dot-" and not a dot: Google's certificate covers one label only.
    return f"{target.service}-dot-{application}"
