"""Runs the containers of all platforms as real processes, each in a box with its image's files."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.machines import box
from localcloud.machines.containers import (
    container_images,
    log_lines,
    loopbacks,
    private_networks,
    secret_values,
    volumes,
)
from localcloud.machines.containers.memory import MemoryWatch
from localcloud.machines.containers.probes import Probe
from localcloud.machines.containers.workload import ContainerError, Ended
from localcloud.machines.process import Process, ProcessError
from localcloud.services.run.templates import in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.machines.containers.container_images import Files
    from localcloud.machines.containers.loopbacks import Loopback
    from localcloud.machines.containers.volumes import Volumes
    from localcloud.machines.containers.workload import Workload

_GRACE_SECONDS = 10.0
_DEFAULT_PORT = 8080
# What Cloud Run probes when the template says nothing: the port, for as long as is allowed.
_DEFAULT_PROBE = {"timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1}

_NOT_LISTENING = (
    "The user-provided container failed to start and listen on the port defined provided by the "
    "PORT={port} environment variable within the allocated timeout. This can happen when the "
    "container port is misconfigured or if the timeout is too short. The health check timeout can "
    "be extended. Logs for this revision might contain more information."
)
_PROBE_FAILED = (
    "The user-provided container failed the configured startup probe checks. Logs for this "
    "revision might contain more information."
)


class Container:
    """One container of an instance: its process and its probes."""

    def __init__(
        self, spec: Mapping[str, Any], process: Process, loopback: Loopback, *, serves: bool
    ) -> None:
        self.spec = spec
        self.process = process
        self.loopback = loopback
        self.serves = serves  # whether requests go to this one
        self.started = threading.Event()

    @property
    def _port(self) -> int:
        return _container_port(self.spec) if self.serves else _DEFAULT_PORT

    def probe(self, raw: Mapping[str, Any]) -> Probe:
        """Read a probe of this container."""
        return Probe.of(raw, self.loopback, self._port)

    def bring_up(self) -> None:
        """Start it and see its startup probe succeed."""
        self.process.spawn()
        raw = self.spec.get("startupProbe") or (_DEFAULT_PROBE if self.serves else None)
        if raw is None:
            self.started.set()
            return
        port, probe = self._port, self.probe(raw)
        ready = probe.wait(lambda: self.process.alive)
        if not ready or not self.process.alive:
            own = any(kind in raw for kind in ("httpGet", "tcpSocket", "grpc"))
            died = not self.process.alive
            message = _PROBE_FAILED if own and not died else _NOT_LISTENING.format(port=port)
            raise self._failure(message, died=died)
        if self.serves and self.loopback.only_itself(probe.port):
            raise self._failure(_NOT_LISTENING.format(port=port))
        self.started.set()

    def _failure(self, message: str, *, died: bool = False) -> ContainerError:
        return ContainerError(
            message,
            reason="HEALTH_CHECK_CONTAINER_ERROR",
            log=self.process.tail(12),
            died=died,
        )


class BoxInstance:
    """One running copy of a revision."""

    def __init__(
        self, name: str, containers: list[Container], folder: Path, loopback: Loopback
    ) -> None:
        self.id = name
        self.loopback = loopback
        self.containers = containers
        self.folder = folder
        self.cancelled = False
        self._stopped = threading.Event()

    @property
    def port(self) -> int | None:
        """The loopback port of the container that serves."""
        serving = next((one for one in self.containers if one.serves), None)
        return self.loopback.reach(_container_port(serving.spec)) if serving else None

    @property
    def alive(self) -> bool:
        """Whether every container of it still runs."""
        return all(one.process.alive for one in self.containers)

    @property
    def is_over(self) -> bool:
        """Whether it was stopped; an instance that died by itself still needs to be."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Start all containers, each after those it depends on."""
        byname = {one.spec.get("name", ""): one for one in self.containers}
        failed = threading.Event()

        def bring_up(one: Container) -> None:
            for name in one.spec.get("dependsOn", []):
                while not byname[name].started.wait(0.1):
                    if failed.is_set():
                        return
            try:
                one.bring_up()
            except BaseException:  # whatever it was, those that depend on it must not wait for ever
                failed.set()
                raise

        with ThreadPoolExecutor(len(self.containers)) as pool:
            waiting = [pool.submit(bring_up, one) for one in self.containers]
        for one in waiting:
            one.result()
        for container in self.containers:
            if container.spec.get("livenessProbe"):
                threading.Thread(target=self._watch, args=(container,), daemon=True).start()

    def _watch(self, container: Container) -> None:
        probe = container.probe(container.spec["livenessProbe"])
        failures = 0
        pause = probe.delay or probe.period
        while not self._stopped.wait(pause):
            pause = probe.period
            failures = 0 if probe.succeeds() else failures + 1
            if failures >= probe.threshold:
                # The next request starts a new instance; this one gets no grace, like there.
                self.stop(grace=0)

    def stop(self, grace: float = _GRACE_SECONDS) -> None:
        """Ask every container to end, insist after *grace* seconds; its files go too."""
        self._stopped.set()
        with ThreadPoolExecutor(len(self.containers)) as pool:
            list(pool.map(lambda one: one.process.stop(grace), self.containers))
        self.loopback.close()
        container_images.discard(self.folder)


class BoxContainers:
    """Starts instances and runs tasks."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        """Keep what instances write below *folder*."""
        self._cloud = cloud
        self._folder = folder
        self._logs = folder.parent / "logs"
        self._lock = threading.Lock()
        self._instances: dict[str, BoxInstance] = {}
        self._memory = MemoryWatch()
        container_images.discard(folder)  # what a crash left; logs stay

    def start(self, workload: Workload) -> BoxInstance:
        """Start an instance and return it when its startup probes succeeded."""
        instance = self._prepare(workload)
        began = time.monotonic()
        try:
            instance.start()
        except BaseException:  # whatever it was, no half an instance stays behind
            self._forget(instance, grace=0)
            raise
        self._say(workload, instance.id, f"Instance started in {time.monotonic() - began:.3f} s.")
        for container in instance.containers:
            self._limit(workload, instance, container)
        return instance

    def run(self, workload: Workload, *, timeout: float) -> Ended:
        """Run a task to its end."""
        instance = self._prepare(workload, serving=False)
        process = instance.containers[0].process
        process.spawn()
        self._limit(workload, instance, instance.containers[0])
        code = process.wait(timeout)
        log = process.tail(12)
        self._forget(instance)
        if code is None:
            return Ended(-15, log=log, timed_out=True)
        return Ended(code, log=log, cancelled=instance.cancelled)

    def cancel(self, prefix: str) -> None:
        """End every running task whose name starts with *prefix*."""
        with self._lock:
            found = [one for name, one in self._instances.items() if name.startswith(prefix)]
        for instance in found:
            # Marked one by one: a later task of the same name is another task.
            instance.cancelled = True
            instance.containers[0].process.stop(_GRACE_SECONDS)

    def close(self) -> None:
        """Stop everything that runs."""
        with self._lock:
            running = list(self._instances.values())
            self._instances.clear()
        if running:
            with ThreadPoolExecutor(len(running)) as pool:
                list(pool.map(lambda one: one.stop(_GRACE_SECONDS), running))

    def _forget(self, instance: BoxInstance, *, grace: float = _GRACE_SECONDS) -> None:
        instance.stop(grace)
        with self._lock:
            self._instances = {
                name: one for name, one in self._instances.items() if one is not instance
            }

    def _prepare(self, workload: Workload, *, serving: bool = True) -> BoxInstance:
        name = f"{workload.id}-{secrets.token_hex(6)}"
        folder = self._folder / name
        folder.mkdir(parents=True)
        loopback: Loopback | None = None
        try:
            made = volumes.make(self._cloud, workload, folder)
            specs = workload.template["containers"]
            serves = _serving(specs) if serving else None
            network, warning = private_networks.inside(self._cloud, workload)
            identity = self._cloud.environment(workload.account, network=network)
            loopback = loopbacks.made(
                specs,
                None if serves is None else _container_port(serves),
                environment=identity,
                log=self._logs / f"{name}-network.log",
            )
            containers = [
                self._container(workload, spec, made, name, identity, loopback, spec is serves)
                for spec in specs
            ]
        except BaseException as error:
            if loopback is not None:
                loopback.close()
            container_images.discard(folder)
            if isinstance(error, secret_values.SecretError):
                raise ContainerError(str(error), reason="SECRETS_ACCESS_CHECK_FAILED") from error
            if isinstance(error, ProcessError):
                raise ContainerError(str(error), reason="INTERNAL") from error
            raise
        instance = BoxInstance(name, containers, folder, loopback)
        with self._lock:
            gone = [key for key, one in self._instances.items() if one.is_over]
            for key in gone:
                del self._instances[key]
            self._instances[f"{workload.name}#{name}"] = instance
        for said in [*made.warnings, *([warning] if warning else [])]:
            self._heard(workload, name)("stderr", said)
        return instance

    def _container(
        self,
        workload: Workload,
        spec: Mapping[str, Any],
        made: Volumes,
        name: str,
        identity: Mapping[str, str],
        loopback: Loopback,
        serves: bool,
    ) -> Container:
        files = container_images.find(self._cloud, spec["image"])
        if files is None:
            raise ContainerError(f"Image '{spec['image']}' not found.", reason="CONTAINER_MISSING")
        env = self._env(workload, spec, files, identity)
        if serves:
            env["PORT"] = str(loopback.told(_container_port(spec)))
        writable, readonly = made.binds(spec.get("volumeMounts", []))
        # The image is read-only: it is the very directory the registry keeps.
        readonly = {**files.binds, **_files_of(identity), **readonly}
        argv = box.argv(
            files.command(spec),
            binds=writable,
            readonly=readonly,
            user=files.user,
            workdir=spec.get("workingDir") or files.config.get("WorkingDir") or "/",
            network=loopback.holder,
        )
        log = self._logs / f"{name}{'-' + spec['name'] if spec.get('name') else ''}.log"
        process = Process(argv, env=env, log=log, on_line=self._heard(workload, name))
        return Container(spec, process, loopback, serves=serves)

    def _env(
        self,
        workload: Workload,
        spec: Mapping[str, Any],
        files: Files,
        identity: Mapping[str, str],
    ) -> dict[str, str]:
        env = {"HOME": "/", **identity, **files.env}
        for item in spec.get("env", []):
            reference = item.get("valueSource", {}).get("secretKeyRef")
            if reference is None:
                env[item["name"]] = item.get("value", "")
                continue
            full = secret_values.version_name(
                workload.project, reference["secret"], reference.get("version", "latest")
            )
            value = secret_values.read(self._cloud, workload.account, full)
            env[item["name"]] = value.decode("utf-8", "surrogateescape")
        return env | dict(workload.env)

    def _limit(self, workload: Workload, instance: BoxInstance, container: Container) -> None:
        """End the instance, without grace, once the container holds more than it may."""
        wanted = container.spec.get("resources", {}).get("limits", {}).get("memory")
        if wanted is None:
            return

        def exceeded(words: str) -> None:
            self._say(workload, instance.id, words, severity="ERROR")
            container.process.stop(0)

        self._memory.add(container.process, in_bytes(wanted), exceeded)

    def _say(self, workload: Workload, instance: str, text: str, *, severity: str = "INFO") -> None:
        entry = log_lines.of_system(workload, text, severity, self._cloud.clock.rfc3339())
        entry["labels"] = {**entry["labels"], "instanceId": instance}
        self._cloud.log(entry)

    def _heard(self, workload: Workload, instance: str) -> Any:
        def write(stream: str, line: str) -> None:
            if not (workload.logged and line.strip()):
                return
            entry = log_lines.entry(workload, stream, line, self._cloud.clock.rfc3339())
            entry["labels"] = {**entry["labels"], "instanceId": instance}
            self._cloud.log(entry)

        return write


def _serving(specs: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the container requests go to: the one with a port, else the only one."""
    return next((spec for spec in specs if spec.get("ports")), specs[0])


def _container_port(spec: Mapping[str, Any]) -> int:
    ports = spec.get("ports") or [{}]
    return int(ports[0].get("containerPort") or _DEFAULT_PORT)


def _files_of(identity: Mapping[str, str]) -> dict[str, Path | str]:
    """Return the files the identity's environment points at: certificates, mostly."""
    return {value: value for value in identity.values() if _is_file(value)}


def _is_file(value: str) -> bool:
    with suppress(OSError, ValueError):
        return value.startswith("/") and Path(value).is_file()
    return False
