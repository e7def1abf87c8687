"""The workflows: each as one bundled source."""

from collections.abc import Iterator

from install.names import MARK, WORKFLOWS, Names
from install.rows import Resource
from workflows.bundle import bundle

BASE = "https://workflows.googleapis.com/v1"


def workflows(names: Names) -> Iterator[Resource]:
    """Yield the workflows."""
    for name in WORKFLOWS:
        wanted = {
            "sourceContents": bundle(name),
            "serviceAccount": f"projects/{names.project}/serviceAccounts/{names.account('workflow')}",
            # Calls and their results are not logged, nor are variables kept: that is the place
            # where other people's programs would look for secrets.
            "callLogLevel": "LOG_ERRORS_ONLY",
            "executionHistoryLevel": "EXECUTION_HISTORY_BASIC",
            "userEnvVars": {
                "BERTH_REGISTRY": names.registry,
                "BERTH_TOPIC": names.topic,
                "BERTH_PLAN_URL": names.url("plan"),
                "BERTH_VERIFY_URL": names.url("verify"),
            },
            "labels": dict(MARK),
        }
        yield Resource(
            title=f"workflow berth-{name}",
            url=f"{BASE}/{names.workflow(name)}",
            wanted=wanted,
            mark={"labels": MARK},
            create_url=f"{BASE}/{names.location}/workflows?workflowId=berth-{name}",
            update_url=f"{BASE}/{names.workflow(name)}?updateMask={','.join(wanted)}",
            operations=f"{BASE}/",
        )
