"""Stand-in for Cloud Build's machines: runs nothing; every image that is asked for comes out empty."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.machines.builds.contract import Built, Job, Outcome
from localcloud.machines.images import tagged


class PaperBuilder:
    """Builds that succeed on paper; the digest follows from the build's own text."""

    def refusal(self, build: Mapping[str, Any]) -> str | None:
        """Accept every build: nothing is run."""
        del build
        return None

    def run(self, job: Job) -> Outcome:
        """Succeed, with one empty image per name in ``images``."""
        outcome = Outcome("SUCCESS")
        for step in job.build.get("steps", []):
            job.log(f"Step {step['name']} is carried out on paper")
            outcome.steps.append({"status": "SUCCESS"})
        text = json.dumps(job.build.get("steps", []), sort_keys=True)
        label = hashlib.sha256(text.encode()).hexdigest()
        for name in job.build.get("images", []):
            root = self._work(job.id) / hashlib.sha256(name.encode()).hexdigest()[:12]
            root.mkdir(parents=True, exist_ok=True)
            outcome.images[tagged(name)] = Built(root, {"Labels": {"paper": label}})
        return outcome

    def discard(self, build: str) -> None:
        """Remove the empty trees."""
        shutil.rmtree(self._work(build), ignore_errors=True)

    def tidy(self) -> None:
        """Leave nothing to remove."""

    def _work(self, build: str) -> Path:
        return Path(tempfile.gettempdir()) / f"localcloud-paper-build-{build}"
