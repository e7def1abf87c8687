"""schema: the database brought to the image's schema, once, before the first server starts."""

from planner import container, engine, marks, private_access
from planner.observed import Observed
from planner.target import Target
from schemas.plan import Check, Operations, PartPlan, Request, Resource

RUN = "https://run.googleapis.com/v2"
TIMEOUT = "900s"
"""Upgrades of real data took 5 s; an unreachable database takes MLflow 106 s to give up on."""

OPERATIONS = Operations(base=f"{RUN}/", dialect="done")


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the job that migrates, and its run.

    MLflow migrates silently at a start that finds a table missing, with no lock across
    containers and no way back. So the server refuses a foreign schema and this job comes first.
    """
    return PartPlan(
        part="schema",
        summary=f"schema of MLflow {target.request.mlflow_version} in {target.database}",
        steps=(_job(target, observed), _run(target)),
    )


def _url(target: Target) -> str:
    return f"{RUN}/{target.location}/jobs/{target.job}"


def _job(target: Target, observed: Observed) -> Resource:
    body = {
        "template": {
            "taskCount": 1,
            "parallelism": 1,
            "template": {
                "serviceAccount": target.service_account,
                "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
                "maxRetries": engine.of(target).migration_retries,
                "timeout": TIMEOUT,
                "containers": [
                    {
                        **container.container(target, observed),
                        "args": ["migrate"],
                        # The import of MLflow alone takes 370 MiB.
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                    }
                ],
                "volumes": container.volumes(target, observed),
                **private_access.vpc_access(target),
            },
        }
    }
    labels = marks.labels(target, body)
    return Resource(
        name="migrate_job",
        title=f"Cloud Run job {target.job}",
        url=_url(target),
        mark=marks.owned(target, "labels"),
        digest=marks.unchanged(labels, "labels"),
        create=Request(
            method="POST",
            url=f"{RUN}/{target.location}/jobs?jobId={target.job}",
            body={**body, "labels": labels},
        ),
        update=Request(
            method="PATCH",
            url=f"{_url(target)}?allowMissing=true",
            body={**body, "labels": labels},
        ),
        operation=OPERATIONS,
        ready=Check(path=("terminalCondition", "state"), value="CONDITION_SUCCEEDED"),
        failed=(Check(path=("terminalCondition", "state"), value="CONDITION_FAILED"),),
        remove=(Request(method="DELETE", url=_url(target)),),
    )


def _run(target: Target) -> Resource:
    run = Request(method="POST", url=f"{_url(target)}:run", body={})
    at = ("latestCreatedExecution", "completionStatus")
    return Resource(
        name="migration",
        title=f"a run of {target.job}",
        url=_url(target),
        mark=marks.owned(target, "labels"),
        create=run,
        # Applied every time: the last run may have been that of an older image. A database that
        # is up to date is left as it is, and two runs at once wait for each other.
        update=run,
        operation=OPERATIONS,
        ready=Check(path=at, value="EXECUTION_SUCCEEDED"),
        failed=(
            Check(path=at, value="EXECUTION_FAILED"),
            Check(path=at, value="EXECUTION_CANCELLED"),
        ),
        within="migrate_job",
    )
