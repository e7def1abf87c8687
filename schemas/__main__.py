"""Writes the JSON Schema of every public model to schemas/json: `python -m schemas`."""

import json
import sys
from pathlib import Path

from schemas.claim import Claim
from schemas.deployment import Deployment, DeploymentRequest, Spec, Status
from schemas.domain import DomainHolder
from schemas.event import StatusEvent
from schemas.listing import DeploymentList, EventList
from schemas.model import Model
from schemas.plan import PartPlan, Plan
from schemas.platform import Platform
from schemas.policy import Policy
from schemas.problem import Problem

FOLDER = Path(__file__).parent / "json"
PUBLIC: tuple[type[Model], ...] = (
    Claim,
    Deployment,
    DeploymentList,
    DeploymentRequest,
    DomainHolder,
    EventList,
    PartPlan,
    Plan,
    Platform,
    Policy,
    Problem,
    Spec,
    Status,
    StatusEvent,
)


def rendered() -> dict[str, str]:
    """Return the text of each file in schemas/json, by its name."""
    return {
        f"{model.__name__}.json": json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **model.model_json_schema(),
            },
            indent=2,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
        for model in PUBLIC
    }


def main() -> int:
    """Write the files, take away what no model stands behind any more."""
    FOLDER.mkdir(exist_ok=True)
    files = rendered()
    for stale in FOLDER.glob("*.json"):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(files)} schemas written to {FOLDER.name}/\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
