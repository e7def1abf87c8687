"""Cloud Build for real: the steps of a build, in order, each in a box with /workspace.

The builder image gcr.io/cloud-builders/docker is this machine's shell and our own ``docker build``;
``python:X-slim`` runs commands in that base image; Debian's, Ubuntu's and Google's images of single
programs are this machine's own programs. Steps on other images are refused by name.
"""

import datetime as dt
import re
import shutil
import tarfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from localcloud.clock import seconds
from localcloud.machines import image_tree
from localcloud.machines.builds import base_images, build_box, build_memory, workspace
from localcloud.machines.builds.contract import Built, Cancelled, Job, Outcome, StepFailed
from localcloud.machines.builds.docker_command import KNOWN, parse_build
from localcloud.machines.builds.dockerfile import DockerfileError
from localcloud.machines.builds.image_build import ImageBuild
from localcloud.machines.images import tagged
from localcloud.machines.process import Process

DOCKER = re.compile(r"gcr\.io/cloud-builders/docker(?::[\w.-]+)?|docker(?::[\w.-]+)?")
# Images that hold nothing but what a machine has anyway, and the program they start.
MACHINE = re.compile(
    r"(?:docker\.io/)?(?:library/)?(?:ubuntu|debian)(?::[\w.-]+)?"
    r"|(?:docker\.io/)?(?:library/)?(?P<bash>bash)(?::[\w.-]+)?"
    r"|gcr\.io/cloud-builders/(?P<tool>curl|git|wget)(?::[\w.-]+)?"
)
BUILD_SECONDS = 3600.0


class DockerBuilder:
    """Builds on this machine, any number at a time."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def refusal(self, build: Mapping[str, Any]) -> str | None:
        """Say which part of this build cannot be carried out here, or None."""
        for number, step in enumerate(build.get("steps", [])):
            name = step["name"]
            if DOCKER.fullmatch(name):
                words = step.get("args", [])
                plain = "script" in step or "entrypoint" in step
                if not plain and (not words or words[0] not in KNOWN):
                    return (
                        f"step {number}: docker {' '.join(words[:1])}: here are {', '.join(KNOWN)}"
                    )
            elif program := _missing(name):
                return f"step {number}: {name} needs {program}, which is not on this machine"
            elif not base_images.PYTHON_IMAGE.fullmatch(name) and not MACHINE.fullmatch(name):
                return (
                    f"step {number}: the local cloud has no builder image {name}; it has "
                    "gcr.io/cloud-builders/{docker,curl,git,wget}, python, bash, ubuntu and debian"
                )
        return None

    def run(self, job: Job) -> Outcome:
        """Carry out every step; nothing is pushed."""
        work = self._work(job.id)
        shutil.rmtree(work, ignore_errors=True)
        (work / "workspace").mkdir(parents=True)
        outcome = Outcome("SUCCESS", steps=[{} for _ in job.build.get("steps", [])])
        outcome.workspace = work / "workspace"
        try:
            if job.source is not None:
                workspace.unpack(job.source, work / "workspace")
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            return Outcome("FAILURE", f"failed to fetch the source: {error}", "FETCH_SOURCE_FAILED")
        temporary = build_memory.temporary(self._state, job.id)
        if temporary is None:
            temporary = work / "tmp"
            temporary.mkdir()
        try:
            return _Steps(job, work, self._state / "bases", temporary, outcome).carry_out()
        finally:
            build_memory.discard(self._state, job.id)

    def discard(self, build: str) -> None:
        """Remove what is left of a build after its images were pushed."""
        shutil.rmtree(self._work(build), ignore_errors=True)

    def tidy(self) -> None:
        """Remove what builds have left that the end of the local cloud interrupted."""
        shutil.rmtree(self._state / "work", ignore_errors=True)
        build_memory.discard(self._state)

    def _work(self, build: str) -> Path:
        return self._state / "work" / build


class _Steps:
    """The steps of one build while they are carried out."""

    def __init__(
        self, job: Job, work: Path, bases: Path, temporary: Path, outcome: Outcome
    ) -> None:
        self.job = job
        self.temporary = temporary
        self.work = work
        self.bases = bases
        self.outcome = outcome
        self.steps: list[Mapping[str, Any]] = list(job.build.get("steps", []))
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.timed_out = False

    def carry_out(self) -> Outcome:
        """Start each step when those it waits for are done; the first failure ends the build."""
        deadline = time.monotonic() + seconds(self.job.build.get("timeout"), BUILD_SECONDS)
        waiting = {number: self._predecessors(number) for number in range(len(self.steps))}
        running: dict[Future[None], int] = {}
        finished: set[int] = set()
        with ThreadPoolExecutor(max_workers=max(1, len(self.steps))) as pool:
            while waiting or running:
                ready = [number for number, before in waiting.items() if before <= finished]
                if not self.stop.is_set():
                    for number in ready:
                        del waiting[number]
                        running[pool.submit(self._step, number)] = number
                elif not running:
                    break
                done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    finished.add(running.pop(future))
                    future.result()
                self._watch(deadline)
        return self.outcome

    def new_temporary(self) -> Path:
        """Make a /tmp for one step."""
        place = self.temporary / uuid.uuid4().hex
        place.mkdir()
        place.chmod(0o1777)
        return place

    def _watch(self, deadline: float) -> None:
        if self.stop.is_set():
            return
        if self.job.cancelled.is_set():
            self._end("CANCELLED", "")
        elif time.monotonic() > deadline:
            self._end("TIMEOUT", "the build took longer than its timeout")

    def _end(self, status: str, detail: str, failure: str = "") -> None:
        with self.lock:
            if not self.stop.is_set():
                self.outcome.status, self.outcome.detail = status, detail
                self.outcome.failure = failure
                self.stop.set()

    def _predecessors(self, number: int) -> set[int]:
        wanted = self.steps[number].get("waitFor", [])
        if wanted == ["-"]:
            return set()
        if not wanted:
            return set(range(number))
        known = {step.get("id"): index for index, step in enumerate(self.steps)}
        return {known[name] for name in wanted if name != "-"}

    def _step(self, number: int) -> None:
        step, state = self.steps[number], self.outcome.steps[number]
        began = time.monotonic()
        state["timing"] = {"startTime": _now()}
        label = f"Step #{number}" + (f' - "{step["id"]}"' if step.get("id") else "")

        def log(line: str) -> None:
            self.job.log(f"{label}: {line}")

        own = _Either(self.stop, began + seconds(step.get("timeout"), float("inf")))
        log(f"Starting {label}")
        try:
            _carry_out(self, number, log, own)
        except (StepFailed, DockerfileError) as error:
            log(f"ERROR: {error}")
            self._failed(number, error)
        except Cancelled:
            state["status"] = "CANCELLED"
            if not self.stop.is_set():
                state["status"] = "TIMEOUT"
                self._end("TIMEOUT", f"build step {number} {step['name']!r} timed out")
        else:
            state.update(status="SUCCESS", exitCode=0)
            log(f"Finished {label}")
        state["timing"]["endTime"] = _now()

    def _failed(self, number: int, error: StepFailed | DockerfileError) -> None:
        step, state = self.steps[number], self.outcome.steps[number]
        code = getattr(error, "code", 1)
        state.update(status="FAILURE", exitCode=code)
        if step.get("allowFailure") or code in step.get("allowExitCodes", []):
            return
        detail = (
            f'build step {number} "{step["name"]}" failed: step exited with non-zero status: {code}'
        )
        self._end("FAILURE", detail, "USER_BUILD_STEP")


class _Either(threading.Event):
    """Set when another event is set or a moment has passed."""

    def __init__(self, other: threading.Event, deadline: float) -> None:
        super().__init__()
        self._other = other
        self._deadline = deadline

    def is_set(self) -> bool:
        """Tell whether either has happened."""
        return self._other.is_set() or time.monotonic() > self._deadline


def _carry_out(
    steps: _Steps, number: int, log: Callable[[str], None], stop: threading.Event
) -> None:
    step = steps.steps[number]
    place = workspace.directory(steps.work, step.get("dir", ""))
    if DOCKER.fullmatch(step["name"]) and "script" not in step and "entrypoint" not in step:
        DOCKER_COMMANDS[step["args"][0]](steps, step["args"][1:], place, log, stop)
        return
    if "script" in step:
        script = steps.work / f"script-{number}"
        text = step["script"]
        script.write_text(text if text.startswith("#!") else "#!/bin/sh\n" + text)
        script.chmod(0o755)
        words = ["/.script"]
        extra = {"/.script": script}
    else:
        program = _program(step["name"])
        first = step.get("entrypoint") or program
        words = [*([first] if first else []), *step.get("args", [])]
        words = words or ["python3" if program is None else "bash"]
        extra = {}
    code = _run(steps, number, words, extra, log, stop)
    if code != 0:
        raise StepFailed(f"{words[0]} exited with {code}", code)


def _program(image: str) -> str | None:
    """Return what an image of this machine's programs starts, "" for any, None for other images."""
    found = MACHINE.fullmatch(image)
    return None if found is None else found["tool"] or found["bash"] or ""


def _missing(image: str) -> str:
    program = _program(image)
    return program if program and shutil.which(program) is None else ""


def _run(
    steps: _Steps,
    number: int,
    words: list[str],
    extra: Mapping[str, Path],
    log: Callable[[str], None],
    stop: threading.Event,
) -> int:
    """Run a command in the step's image, with the workspace where Cloud Build puts it."""
    step = steps.steps[number]
    env = {**build_box.passed_on(), "HOME": "/builder/home", "PATH": base_images.SYSTEM_PATH}
    binds: dict[str, Path] = {}
    if base_images.PYTHON_IMAGE.fullmatch(step["name"]):
        root = steps.work / f"step-{number}"
        image = base_images.base(step["name"], steps.bases, root)
        if image is not None:
            env |= image.env
            binds |= image_tree.binds(root)
    home, temporary = steps.work / "home", steps.new_temporary()
    home.mkdir(exist_ok=True)
    binds |= {workspace.WORKSPACE: steps.work / "workspace", "/builder/home": home, **extra}
    for volume in step.get("volumes", []):
        place_of = steps.work / "volumes" / volume["name"]
        place_of.mkdir(parents=True, exist_ok=True)
        binds[volume["path"].rstrip("/")] = place_of
    for pair in step.get("env", []):
        key, _, value = pair.partition("=")
        env[key] = value
    env |= {key: steps.job.secrets[key] for key in step.get("secretEnv", [])}
    place = str(Path(workspace.WORKSPACE) / step.get("dir", ""))
    Path(workspace.directory(steps.work, step.get("dir", ""))).mkdir(parents=True, exist_ok=True)
    process = Process(
        build_box.argv(words, bound=binds, temporary=temporary, workdir=place),
        env=env,
        log=steps.work / f"step-{number}.log",
        cwd="/",
        on_line=lambda _stream, line: log(line),
    )
    process.spawn()
    while (code := process.wait(0.2)) is None:
        if stop.is_set():
            process.stop(grace=1)
            raise Cancelled
    return code


def _docker_build(
    steps: _Steps, words: list[str], place: Path, log: Callable[[str], None], stop: threading.Event
) -> None:
    command = parse_build(words)
    context = workspace.within(place, command.context, steps.work / "workspace")
    if not context.is_dir():
        raise StepFailed(f"unable to prepare context: path {command.context!r} not found")
    temporary = steps.new_temporary()
    work = steps.work / f"build-{temporary.name}"
    work.mkdir()
    job = ImageBuild(context, work, steps.bases, temporary, log, stop, command.arguments)
    file = (
        context / "Dockerfile"
        if command.file is None
        else workspace.within(place, command.file, steps.work / "workspace")
    )
    image = job.build(file, target=command.target)
    for tag in command.tags:
        steps.outcome.images[tagged(tag)] = Built(image.root, image.config())
        log(f"Successfully tagged {tagged(tag)}")


def _docker_tag(
    steps: _Steps, words: list[str], place: Path, log: Callable[[str], None], stop: threading.Event
) -> None:
    del place, log, stop
    if len(words) != 2:  # noqa: PLR2004 - from, to
        raise StepFailed('"docker tag" requires exactly 2 arguments')
    known = steps.outcome.images.get(tagged(words[0]))
    if known is None:
        raise StepFailed(f"Error response from daemon: No such image: {words[0]}")
    steps.outcome.images[tagged(words[1])] = known


def _docker_push(
    steps: _Steps, words: list[str], place: Path, log: Callable[[str], None], stop: threading.Event
) -> None:
    del place, stop
    for name in words:
        if tagged(name) not in steps.outcome.images:
            raise StepFailed(f"An image does not exist locally with the tag: {name}")
        steps.outcome.pushed.append(tagged(name))
        log(f"The push refers to repository [{name}]; it is pushed when all steps are done")


DOCKER_COMMANDS: dict[
    str, Callable[[_Steps, list[str], Path, Callable[[str], None], threading.Event], None]
] = {"build": _docker_build, "tag": _docker_tag, "push": _docker_push}


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
