"""backend_store: the database, its user, and the instance where it has one of its own."""

from planner import engine, grants, instance, secret
from planner.observed import Observed
from planner.target import Target, account, escaped
from schemas.plan import PartPlan, Request, Resource, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return what lies under the tracking server, from the right to connect to the user."""
    own: tuple[Step, ...] = () if target.pooled else instance.steps(target)
    kind = f"{engine.of(target).title} instance and database" if own else "database"
    return PartPlan(
        part="backend_store",
        summary=f"{kind} {target.database} on {target.instance}",
        steps=(
            # First, so that it has spread by the time the migration connects.
            _server_may_connect(target),
            *own,
            *secret.steps(target, "db-password"),
            _database(target),
            _user(target),
        ),
    )


def _server_may_connect(target: Target) -> Step:
    # Cloud SQL has no policy per instance, so this is the one binding on the project; the
    # condition makes it one on the instance.
    return grants.grant(
        grants.of_project(target),
        "server_may_connect",
        role="roles/cloudsql.client",
        member=account(target.service_account),
        title=f"the server may connect to {target.instance}",
        condition={
            "title": f"berth-{target.name}",
            "expression": f"resource.name == 'projects/{target.project}/instances/"
            f"{target.instance}' && resource.service == 'sqladmin.googleapis.com'",
        },
        drop=True,
    )


def _database(target: Target) -> Resource:
    databases = f"{instance.url(target)}/databases"
    return Resource(
        name="database",
        title=f"Cloud SQL database {target.database} on {target.instance}",
        url=f"{databases}/{escaped(target.database)}",
        create=Request(
            method="POST",
            url=databases,
            body={"name": target.database, **engine.of(target).database},
        ),
        operation=instance.operations(target),
        remove=(_drop_database(target),) if target.pooled else (),
        within=None if target.pooled else "instance",
    )


def _drop_database(target: Target) -> Request:
    return Request(
        method="DELETE", url=f"{instance.url(target)}/databases/{escaped(target.database)}"
    )


def _user(target: Target) -> Resource:
    url = instance.user_url(target, target.database_user)
    make = secret.credentials(target, "db_user")
    delete = Request(
        method="DELETE",
        url=f"{instance.url(target)}/users?name={escaped(target.database_user)}",
    )
    return Resource(
        name="database_user",
        title=f"database user {target.database_user} on {target.instance}",
        url=url,
        create=make,
        # Applied every time: a crash between the user and its rights leaves a user without
        # rights, which no look-up can see.
        update=make,
        operation=instance.operations(target),
        # PostgreSQL does not drop a user that owns tables, so the database goes first; when its
        # own turn comes it is gone already, which is as good.
        remove=(_drop_database(target), delete) if target.pooled else (),
        within=None if target.pooled else "instance",
    )
