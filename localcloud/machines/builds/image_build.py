"""Carries out a Dockerfile: every stage a directory tree, every RUN a real command in a box.

An image's tree holds only what the image adds. ``FROM python:X-slim`` is a virtual environment of
this machine's Python at /opt/python, first on the PATH; the system around it is the host's, and a
build can read it but not change it.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.machines import image_tree
from localcloud.machines.builds import base_images, build_box, image_copy
from localcloud.machines.builds.base_images import Image
from localcloud.machines.builds.contract import Cancelled, StepFailed
from localcloud.machines.builds.dockerfile import Instruction, parse
from localcloud.machines.process import Process

Log = Callable[[str], None]


@dataclass
class ImageBuild:
    """One ``docker build``.

    Args:
        context: The directory COPY reads from.
        work: A private directory, on the disk the images are kept on.
        bases: Where the trees of base images are kept between builds.
        temporary: What the commands have as /tmp.
        log: Gets every line of output.
        cancelled: Stops the running command when set.

    """

    context: Path
    work: Path
    bases: Path
    temporary: Path
    log: Log
    cancelled: threading.Event
    arguments: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def build(self, dockerfile: Path, *, target: str | None = None) -> Image:
        """Carry out the file and return its last stage, or the one named ``target``."""
        try:
            text = dockerfile.read_text()
        except FileNotFoundError:
            raise StepFailed(
                f"unable to read the Dockerfile {dockerfile.name}: no such file"
            ) from None
        return _Run(self, parse(text), target).carry_out()


class _Run:
    """The state of one build while its instructions are carried out."""

    def __init__(
        self, job: ImageBuild, instructions: list[Instruction], target: str | None
    ) -> None:
        self.job = job
        self.instructions = instructions
        self.context = image_copy.filtered(job.context, job.work)
        self.target = target
        self.stages: dict[str, Image] = {}
        self.count = 0
        self.globals: dict[str, str] = {}
        self.declared: dict[str, str] = {}
        self.consumed: set[str] = set()
        self.image: Image | None = None

    def carry_out(self) -> Image:
        for number, one in enumerate(self.instructions, 1):
            if self.job.cancelled.is_set():
                raise Cancelled
            if one.name == "FROM" and self.target is not None and self.target in self.stages:
                break
            self.job.log(f"Step {number}/{len(self.instructions)} : {one.source}")
            ACTIONS[one.name](self, one)
        for name in sorted(set(self.job.arguments) - self.consumed):
            self.job.log(f"[Warning] One or more build-args [{name}] were not consumed")
        if self.target is not None and self.target not in self.stages:
            raise StepFailed(f"target stage {self.target!r} could not be found")
        return self.stage

    @property
    def stage(self) -> Image:
        assert self.image is not None  # parse() lets nothing but ARG come before FROM
        return self.image

    @property
    def variables(self) -> dict[str, str]:
        return self.globals if self.image is None else {**self.declared, **self.image.env}

    def from_(self, one: Instruction) -> None:
        words = one.expand(one.text, self.globals).split()
        if len(words) not in {1, 3} or (len(words) == 3 and words[1].upper() != "AS"):  # noqa: PLR2004
            raise one.refuse("FROM wants an image, or an image AS a name")
        tree = self.job.work / f"stage-{self.count}"
        self.image = self._base(one, words[0], tree)
        self.declared = {}
        for name in {str(self.count), *([words[2].lower()] if len(words) > 1 else [])}:
            self.stages[name] = self.image
        self.count += 1

    def _base(self, one: Instruction, name: str, tree: Path) -> Image:
        if (earlier := self.stages.get(name.lower())) is not None:
            return earlier.copy(tree)
        found = base_images.base(name, self.job.bases, tree)
        if found is None:
            raise one.refuse(
                f"no base image {name} here; there are python:X-slim, python:X and scratch"
            )
        self.job.log(f" ---> this machine's Python {base_images.VERSION} stands in for {name}")
        return found

    def arg(self, one: Instruction) -> None:
        for word in one.split():
            name, equals, default = word.partition("=")
            self.consumed.add(name)
            known = self.job.arguments.get(name)
            if known is None and self.image is not None:
                known = self.globals.get(name) if not equals else None
            if known is None and equals:
                known = one.expand(default, self.variables)
            if known is not None:
                (self.globals if self.image is None else self.declared)[name] = known

    def env(self, one: Instruction) -> None:
        self.stage.env.update(one.pairs(self.variables))

    def label(self, one: Instruction) -> None:
        self.stage.labels.update(one.pairs(self.variables))

    def workdir(self, one: Instruction) -> None:
        place = one.expand(one.text, self.variables)
        self.stage.workdir = os.path.normpath(Path(self.stage.workdir) / place)
        self._inside(self.stage.workdir).mkdir(parents=True, exist_ok=True)

    def user(self, one: Instruction) -> None:
        self.stage.user = one.expand(one.text, self.variables)
        if not re.fullmatch(r"\d+(:\d+)?|root(:root)?", self.stage.user):
            raise one.refuse(
                f"USER {self.stage.user}: users are known by number here, besides root"
            )

    def expose(self, one: Instruction) -> None:
        for port in one.words(self.variables):
            self.stage.ports.append(port if "/" in port else f"{port}/tcp")

    def entrypoint(self, one: Instruction) -> None:
        self.stage.entrypoint = one.command()
        self.stage.command = None  # as Docker does: the base image's CMD belonged to its own

    def cmd(self, one: Instruction) -> None:
        self.stage.command = one.command()

    def copy(self, one: Instruction) -> None:
        origin = self.context
        if "from" in one.flags:
            name = one.expand(one.flags["from"], self.variables).lower()
            if name not in self.stages:
                raise one.refuse(f"COPY --from={name}: there is no such stage")
            origin = self.stages[name].root
        target = one.words(self.variables)[-1]
        place = self._inside(str(Path(self.stage.workdir) / target))
        image_copy.copy(one, origin, place, variables=self.variables, linked="from" in one.flags)

    def run(self, one: Instruction) -> None:
        line = build_box.argv(
            one.command(),
            bound=image_tree.binds(self.stage.root),
            temporary=self.job.temporary,
            workdir=self.stage.workdir,
            user=self.stage.user.partition(":")[0].replace("root", "0"),
            keep=self.stage.root,
        )
        code = self._execute(line)
        if code != 0:
            raise StepFailed(
                f"The command '{' '.join(one.command())}' returned a non-zero code: {code}", code
            )

    def _execute(self, line: list[str]) -> int:
        host = {"HOME": os.environ.get("HOME", "/"), "UV_LINK_MODE": "copy"}
        env = {**host, **build_box.passed_on(), **self.job.env, **self.declared, **self.stage.env}
        process = Process(
            line,
            env=env,
            log=self.job.work / "run.log",
            cwd="/",
            on_line=lambda _stream, text: self.job.log(text),
        )
        process.spawn()
        while (code := process.wait(0.2)) is None:
            if self.job.cancelled.is_set():
                process.stop(grace=1)
                raise Cancelled
        return code

    def _inside(self, path: str) -> Path:
        """Return where an absolute path of the image lies; the host's own links are followed."""
        normal = os.path.normpath(path)
        for shared in sorted(image_tree.SHARED, key=len, reverse=True):
            if (
                shared != "/"
                and (normal + "/").startswith(shared + "/")
                and Path(shared).is_symlink()
            ):
                normal = os.path.realpath(shared) + normal[len(shared) :]
                break
        return self.stage.root / normal.lstrip("/")


ACTIONS: dict[str, Callable[[_Run, Instruction], None]] = {
    "FROM": _Run.from_,
    "ARG": _Run.arg,
    "ENV": _Run.env,
    "LABEL": _Run.label,
    "WORKDIR": _Run.workdir,
    "USER": _Run.user,
    "EXPOSE": _Run.expose,
    "ENTRYPOINT": _Run.entrypoint,
    "CMD": _Run.cmd,
    "COPY": _Run.copy,
    "RUN": _Run.run,
}
