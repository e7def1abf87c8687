"""A build on its way: its source, secrets and images, each with the build account's own rights."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from localcloud.clock import seconds
from localcloud.errors import ApiError
from localcloud.machines import images
from localcloud.machines.builds.contract import Built, Job, Outcome
from localcloud.services.artifactregistry.artifacts import PushRefused, push
from localcloud.services.cloudbuild import queue, substitutions
from localcloud.services.cloudbuild.logs import BuildLog
from localcloud.services.cloudbuild.objects import Uploads

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Resource
    from localcloud.store import Collection

FINAL = frozenset(["SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"])
FAILED = "Build failed; check build logs for details"


class _Cancelled(threading.Event):
    """Set as soon as the stored build is CANCELLED: there is no second place that knows."""

    def __init__(self, store: Collection, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key

    def is_set(self) -> bool:
        """Ask the store."""
        return str(self._store.fetch(self._key)["status"]) == "CANCELLED"


class Execution:
    """Carries one stored build out."""

    def __init__(self, cloud: Cloud, key: str) -> None:
        self.cloud = cloud
        self.key = key
        self.store = cloud.store.of("cloudbuild")
        self.build = self.store.fetch(key)
        account = self.build["serviceAccount"].rpartition("/")[2]
        self.email = account
        self.member = f"serviceAccount:{account}"
        self.cancelled = _Cancelled(self.store, key)
        self.written = BuildLog(cloud, self.build, self.member)

    def run(self) -> Resource:
        """Carry the build out and return it; an ApiError says that it failed."""
        began = datetime.fromisoformat(self.build["createTime"]).timestamp()
        until = began + seconds(self.build["queueTtl"])
        with queue.place(self.cloud, until, self.cancelled) as found:
            if self.cancelled.is_set():
                raise ApiError(499, "Build cancelled", status="CANCELLED")
            if not found:
                detail = "build expired: it was queued for longer than its queue_ttl"
                self._update(
                    {"status": "EXPIRED", "statusDetail": detail, "finishTime": self._now()}
                )
                raise ApiError(400, detail, status="FAILED_PRECONDITION")
            return self._carried_out()

    def _carried_out(self) -> Resource:
        self._update({"status": "WORKING", "startTime": self._now()})
        if self.written.refused:
            text = (
                f"The service account {self.email} does not have permission to write logs to Cloud "
                "Logging. To fix this, grant the Logs Writer (roles/logging.logWriter) role to it."
            )
            self._update({"warnings": [{"text": text, "priority": "ALERT"}]})
        with tempfile.TemporaryDirectory(prefix="localcloud-source-") as folder:
            outcome = self._outcome(Path(folder))
        if outcome.status == "SUCCESS":
            outcome = self._push(outcome)
        if outcome.status == "SUCCESS":
            outcome = self._upload(outcome)
        # later: removing tens of thousands of files takes seconds, and nobody waits for it
        builder, clock = self.cloud.machines.builder, self.cloud.clock
        clock.call_at(clock.now(), lambda: builder.discard(self.build["id"]))
        return self._finish(outcome)

    def _outcome(self, folder: Path) -> Outcome:
        try:
            source = self._source(folder)
            secrets = self._secrets()
        except ApiError as error:
            self.log(f"ERROR: failed to obtain source or secrets: {error}")
            return Outcome("FAILURE", str(error), "FETCH_SOURCE_FAILED")
        job = Job(
            id=self.build["id"],
            build=self._with_options(substitutions.put_in(self.build, self._built_ins())),
            source=source,
            secrets=secrets,
            log=self.log,
            cancelled=self.cancelled,
        )
        self.log(f'starting build "{self.build["id"]}"')
        outcome: Outcome = self.cloud.machines.builder.run(job)
        return outcome

    def _with_options(self, build: Resource) -> Resource:
        """Put what the options say for all steps into each step."""
        options = build.get("options", {})
        known = substitutions.known_values(self.build, self._built_ins())
        mapped = [f"{key}={value}" for key, value in sorted(known.items())]
        steps = [
            {
                **step,
                "env": [
                    *(mapped if _maps(step, options) else []),
                    *options.get("env", []),
                    *step.get("env", []),
                ],
                "volumes": [*options.get("volumes", []), *step.get("volumes", [])],
                "secretEnv": [*options.get("secretEnv", []), *step.get("secretEnv", [])],
            }
            for step in build["steps"]
        ]
        return {**build, "steps": steps}

    def _source(self, folder: Path) -> Path | None:
        wanted = self.build.get("source", {}).get("storageSource")
        if wanted is None:
            return None
        began = self._now()
        place = f"{quote(wanted['bucket'], safe='')}/o/{quote(wanted['object'], safe='')}"
        url = f"https://storage.googleapis.com/storage/v1/b/{place}?alt=media"
        if wanted.get("generation"):
            url += f"&generation={wanted['generation']}"
        answer = self._get(url)
        archive = folder / "source"
        archive.write_bytes(answer.body)
        generation = answer.headers.get("x-goog-generation", wanted.get("generation", ""))
        self._update(
            {
                "sourceProvenance": {"resolvedStorageSource": {**wanted, "generation": generation}},
                "timing": {"FETCHSOURCE": {"startTime": began, "endTime": self._now()}},
            }
        )
        return archive

    def _secrets(self) -> dict[str, str]:
        found: dict[str, str] = {}
        wanted = substitutions.put_in(self.build, self._built_ins()).get("availableSecrets", {})
        for secret in wanted.get("secretManager", []):
            url = f"https://secretmanager.googleapis.com/v1/{secret['versionName']}:access"
            data = json.loads(self._get(url).body)["payload"]["data"]
            found[secret["env"]] = _decoded(data)
        return found

    def _get(self, url: str) -> Any:
        """Read something as the build account; what it may not read fails the build."""
        token = self.cloud.tokens.access_token(self.email)
        answer = self.cloud.request("GET", url, headers={"authorization": f"Bearer {token}"})
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            try:
                message = json.loads(answer.body)["error"]["message"]
            except (ValueError, KeyError, TypeError):
                message = answer.body.decode("utf-8", "replace")
            raise ApiError(answer.status, f"{url}: {message}")
        return answer

    def _push(self, outcome: Outcome) -> Outcome:
        began = self._now()
        build = substitutions.put_in(self.build, self._built_ins())
        wanted = [*build.get("images", []), *build.get("artifacts", {}).get("images", [])]
        pushed: list[Resource] = []
        for name in dict.fromkeys([*wanted, *outcome.pushed]):
            tagged = images.tagged(name)
            built, reference = outcome.images.get(tagged), images.parse(tagged)
            if built is None or reference is None:
                detail = f"failed to find one or more images after execution of build steps: {name}"
                self.log(f"ERROR: {detail}")
                return _failed(outcome, detail, "PUSH_IMAGE_NOT_FOUND")
            self.log(f"Pushing {tagged}")
            try:
                image = push(self.cloud, reference, built, self.member)
            except PushRefused as refusal:
                self.log(f"ERROR: {refusal}")
                kind = "PUSH_NOT_AUTHORIZED" if refusal.unauthorized else "PUSH_FAILED"
                return _failed(outcome, f"failed to push {name}: {refusal}", kind)
            for other, same in outcome.images.items():
                if same.root == built.root:
                    outcome.images[other] = Built(image.root, same.config)
            span = {"startTime": began, "endTime": self._now()}
            pushed.append({"name": name, "digest": image.digest, "pushTiming": span})
            self.log(f"{tagged}: digest: {image.digest} size: {image.size}")
        results = {"images": pushed, "buildStepImages": [""] * len(build["steps"])}
        timing = {"PUSH": {"startTime": began, "endTime": self._now()}}
        self._update({"results": results, "timing": {**self._stored("timing"), **timing}})
        return outcome

    def _upload(self, outcome: Outcome) -> Outcome:
        build = substitutions.put_in(self.build, self._built_ins())
        uploads = Uploads(self.cloud, self.email, build)
        if not uploads.paths or outcome.workspace is None:
            return outcome
        began = self._now()
        self.log(f"Artifacts will be uploaded to {build['artifacts']['objects']['location']}")
        try:
            found = uploads.carry_out(outcome.workspace)
        except ApiError as error:
            self.log(f"ERROR: {error.message}")
            return _failed(outcome, f"failed to upload artifacts: {error.message}", "")
        found["artifactTiming"] = {"startTime": began, "endTime": self._now()}
        self._update({"results": {**self._stored("results"), **found}})
        self.log(
            f"Uploaded {found['numArtifacts']} artifacts; manifest {found['artifactManifest']}"
        )
        return outcome

    def _finish(self, outcome: Outcome) -> Resource:
        stored = self.store.fetch(self.key)
        steps = [
            {**step, **state} for step, state in zip(stored["steps"], outcome.steps, strict=False)
        ] or stored["steps"]
        start = stored["startTime"]
        changes: Resource = {
            "status": outcome.status,
            "finishTime": self._now(),
            "steps": steps,
            "timing": {
                **self._stored("timing"),
                "BUILD": {"startTime": start, "endTime": self._now()},
            },
        }
        if outcome.detail:
            changes["statusDetail"] = outcome.detail
        if outcome.failure:
            changes["failureInfo"] = {"type": outcome.failure, "detail": outcome.detail}
        self.log(
            "DONE" if outcome.status == "SUCCESS" else f"ERROR: {outcome.status} {outcome.detail}"
        )
        trouble = self.written.close()
        if trouble:
            changes["warnings"] = [{"text": trouble, "priority": "WARNING"}]
        finished = self._update(changes)
        if outcome.status == "CANCELLED":
            raise ApiError(499, "Build cancelled", status="CANCELLED")
        if outcome.status != "SUCCESS":
            raise ApiError(500, FAILED, status="UNKNOWN")
        return finished

    def log(self, line: str) -> None:
        """Write a line to the build's log."""
        self.written.line(line)

    def _built_ins(self) -> dict[str, str]:
        return {
            "PROJECT_ID": self.cloud.project,
            "PROJECT_NUMBER": self.cloud.number,
            "BUILD_ID": self.build["id"],
            "LOCATION": self.key.split("/")[3],
            "SERVICE_ACCOUNT": self.build["serviceAccount"],
            "SERVICE_ACCOUNT_EMAIL": self.email,
        }

    def _stored(self, field: str) -> Resource:
        found: Resource = self.store.fetch(self.key).get(field, {})
        return found

    def _update(self, changes: Resource) -> Resource:
        """Change the stored build, except that a cancelled one stays cancelled."""

        def change(stored: Resource) -> Resource:
            status = changes.get("status", stored["status"])
            if stored["status"] == "CANCELLED":
                status = "CANCELLED"
            return {**stored, **changes, "status": status}

        return self.store.update(self.key, change)

    def _now(self) -> str:
        return self.cloud.clock.rfc3339()


def _maps(step: Resource, options: Resource) -> bool:
    """Tell whether a step gets the substitutions as environment variables."""
    return bool(step.get("automapSubstitutions", options.get("automapSubstitutions")))


def _failed(outcome: Outcome, detail: str, kind: str) -> Outcome:
    return Outcome("FAILURE", detail, kind, outcome.steps)


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()
