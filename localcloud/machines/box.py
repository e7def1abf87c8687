"""Runs a program where an image's files are at their real paths, without a container engine.

A box is a mount namespace with a root of its own: the host's files, with directories of the
caller's choice bound over them and a private, empty ``/tmp``. So a program built for ``/app``
and ``/opt/venv`` finds itself there, and two boxes can both have an ``/app``. It hides
nothing and limits nothing: it is a stand-in for a container's file system, not for its walls.

``argv`` makes the command line of a launcher, which is this very file: it unshares, mounts,
drops its rights and executes the program in its own place, so the process identifier stays.
The launcher imports nothing outside the standard library and starts without ``site``.
"""

# A path here belongs to one of two roots, and is text until it is mounted.
# ruff: noqa: PTH100, PTH102, PTH112, PTH115, PTH118, PTH208, PTH211

import argparse
import ctypes
import ctypes.util
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

# What the shell says for "found, but could not be executed" and for "not found".
CANNOT_EXECUTE, NOT_FOUND, NO_BOX = 126, 127, 125


class BoxError(Exception):
    """The box cannot be made; the message is one sentence for a person."""


def argv(
    command: Sequence[str],
    *,
    binds: Mapping[str, Path | str] | None = None,
    readonly: Mapping[str, Path | str] | None = None,
    user: int | None = None,
    workdir: str | None = None,
    network: int | None = None,
) -> list[str]:
    """Return the command line that runs *command* in a box.

    Args:
        command: The program and its arguments, as seen from inside.
        binds: Path inside to directory or file outside; the program may write there.
        readonly: The same, but the program may only read.
        user: Number of the user (and group) the program runs as; ``None``: the caller's.
        workdir: Directory the program starts in, as seen from inside.
        network: Process whose network it joins; ``None``: the caller's.

    Without binds there is no namespace: the program sees the host, but it still dies with
    the process that started it.

    """
    words = [*_launcher(), "--parent", str(os.getpid())]
    for flag, chosen in (("--bind", binds), ("--readonly", readonly)):
        for inside, outside in (chosen or {}).items():
            words += [flag, str(outside), inside]
    if user is not None:
        words += ["--user", str(user)]
    if workdir is not None:
        words += ["--workdir", workdir]
    if network is not None:
        words += ["--network", str(network)]
    return [*words, "--", *command]


def is_launched(command: Sequence[str]) -> bool:
    """Tell whether *command* already starts with the launcher."""
    launcher = _launcher()
    return list(command[: len(launcher)]) == launcher


def _launcher() -> list[str]:
    # Isolated and without site: nothing of the caller's environment can change the launcher,
    # and it starts in a fraction of the time.
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve())]


def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise BoxError(f"cannot {doing}: {os.strerror(number)}")


def _mount(source: str, target: str, *, kind: str | None = None, flags: int = 0) -> None:
    name = kind.encode() if kind else None
    result = _system().mount(source.encode(), target.encode(), name, ctypes.c_ulong(flags), None)
    _checked(result, f"mount {source} at {target}")


def _own_namespace(user: int) -> None:
    """Leave the host's mounts; an ordinary user also needs a user namespace to be allowed to."""
    outside_user, outside_group = os.geteuid(), os.getegid()
    if outside_user == 0:
        _checked(_system().unshare(CLONE_NEWNS), "make a mount namespace")
        return
    result = _system().unshare(CLONE_NEWNS | CLONE_NEWUSER)
    if result != 0:
        raise BoxError(
            "this machine does not let an ordinary user make a user namespace, so a container "
            "cannot be given its own paths; run as root, or allow unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces > 0)",
        )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {outside_user} 1")
    Path("/proc/self/gid_map").write_text(f"{user} {outside_group} 1")


def _join_network(holder: int) -> None:
    """Move into a process's network, by way of its user namespace if that is another one."""
    for kind, flag in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
        there = f"/proc/{holder}/ns/{kind}"
        if os.readlink(there) == os.readlink(f"/proc/self/ns/{kind}"):
            continue
        with Path(there).open() as namespace:
            _checked(_system().setns(namespace.fileno(), flag), f"join {there}")


class _Root:
    """A new root: the host's tree with *binds* laid over it."""

    def __init__(
        self, binds: Mapping[str, str], opened: Iterable[str], sealed: Iterable[str]
    ) -> None:
        self.binds = dict(binds)
        self.sealed = set(sealed)
        # A directory that has a bind somewhere below is put together from its entries; all
        # others are bound as they are.
        self.composed = {"/"}
        for path in (*self.binds, *opened):
            self.composed |= {str(parent) for parent in Path(path).parents}
        self.composed |= set(opened)

    def build(self, at: str) -> None:
        _mount("none", "/", flags=MS_REC | MS_PRIVATE)
        _mount("box", at, kind="tmpfs", flags=MS_NOSUID | MS_NODEV)
        Path(at).chmod(0o755)
        self._compose("/", "/", at)

    def _compose(self, inside: str, source: str | None, at: str) -> None:
        names = set(os.listdir(source)) if source else set()
        prefix = inside.rstrip("/") + "/"
        known = [*self.binds, *self.composed]
        names |= {path[len(prefix) :].split("/")[0] for path in known if path.startswith(prefix)}
        for name in sorted(names - {""}):
            path = prefix + name
            origin = self.binds.get(path) or (os.path.join(source, name) if source else None)
            self._place(path, origin, at + path)

    def _place(self, path: str, origin: str | None, target: str) -> None:
        if path == "/tmp":  # noqa: S108 - it is the very directory that is meant
            self._own_tmp(path, target)
        elif path in self.composed:
            Path(target).mkdir(mode=0o755)
            there = origin if origin and os.path.isdir(origin) else None
            self._compose(path, there, target.removesuffix(path))
            if self._is_sealed(path):
                # Not a mount of its own yet, and only a mount can be made read-only.
                _mount(target, target, flags=MS_BIND | MS_REC)
                _make_readonly(target)
        elif origin is not None:
            self._attach(path, origin, target)

    def _is_sealed(self, path: str) -> bool:
        """Tell whether the innermost bind a path lies in is a read-only one."""
        for place in (path, *(str(parent) for parent in Path(path).parents)):
            if place in self.binds:
                return place in self.sealed
        return False

    def _own_tmp(self, path: str, target: str) -> None:
        Path(target).mkdir()
        if path in self.binds:
            _mount(self.binds[path], target, flags=MS_BIND | MS_REC)
            return
        _mount("tmp", target, kind="tmpfs", flags=MS_NOSUID | MS_NODEV)
        Path(target).chmod(0o1777)
        self._compose(path, None, target.removesuffix(path))

    def _attach(self, path: str, origin: str, target: str) -> None:
        try:
            mode = os.lstat(origin).st_mode
        except OSError as error:
            if path in self.binds:
                raise BoxError(f"cannot bind {origin} at {path}: {error.strerror}") from error
            return  # an entry of the host that vanished meanwhile
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(origin), target)
            return
        if stat.S_ISDIR(mode):
            Path(target).mkdir()
        else:
            Path(target).touch()
        _mount(origin, target, flags=MS_BIND | MS_REC)
        if self._is_sealed(path):
            _make_readonly(target)


def _make_readonly(target: str) -> None:
    kept = os.statvfs(target).f_flag
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY
    # In a user namespace a remount may not drop what the host's mount forbids.
    for shown, flag in ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV)):
        flags |= flag if kept & shown else 0
    flags |= MS_NOEXEC if kept & os.ST_NOEXEC else 0
    _mount("none", target, flags=flags)


def _enter(at: str) -> None:
    os.chdir(at)
    if _system().pivot_root(b".", b".") == 0:
        _checked(_system().umount2(b".", MNT_DETACH), "let go of the old root")
    else:
        # The root of a chroot or of an initial file system cannot be pivoted away.
        os.chroot(".")
    os.chdir("/")


def _foundation() -> str:
    """Return a directory to mount the new root on; nothing is ever written into it."""
    path = os.path.join(tempfile.gettempdir(), f"localcloud-box-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise BoxError(f"{path} is in the way: it is not a directory of this user") from None
    return path


def _interpreter_paths() -> tuple[dict[str, str], set[str]]:
    """Return what keeps this interpreter reachable: binds under /tmp, directories to open."""
    binds: dict[str, str] = {}
    opened: set[str] = set()
    executable = Path(sys.executable)
    homes = {Path(sys.base_prefix), Path(sys.prefix), executable.parent.parent}
    homes.add(executable.resolve().parent.parent)
    # The launcher runs without site, so a virtual environment is only known by its directory.
    for home in homes:
        if home.is_relative_to(tempfile.gettempdir()):
            binds[str(home)] = str(home)
        for parent in (home, *home.parents):
            if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH:
                opened.add(str(parent))
    return binds, opened


def _build(options: argparse.Namespace, user: int) -> None:
    pairs = [*options.bind, *options.readonly]
    binds = {os.path.normpath(inside): os.path.abspath(outside) for outside, inside in pairs}
    relative = [inside for inside in binds if not inside.startswith("/")]
    if relative:
        raise BoxError(f"a bind needs an absolute path inside, not {relative[0]}")
    if "/" in binds:
        raise BoxError("nothing can be bound at /; bind its entries one by one")
    foundation = _foundation()
    kept, opened = _interpreter_paths()
    _own_namespace(user)
    sealed = {os.path.normpath(inside) for _, inside in options.readonly}
    _Root(kept | binds, opened, sealed).build(foundation)
    _enter(foundation)


def _drop(user: int) -> None:
    if os.geteuid() != 0 or user == 0:
        return
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def _die_with(parent: int | None) -> None:
    # Only now: the kernel forgets the wish when a process changes its user.
    _checked(_system().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "follow the parent")
    if parent is not None and os.getppid() != parent:
        raise BoxError("the process that wanted this program is gone")


def _execute(command: list[str], workdir: str | None) -> NoReturn:
    if workdir is not None:
        try:
            os.chdir(workdir)
        except OSError as error:
            raise BoxError(f"cannot start in {workdir}: {error.strerror}") from error
    # Python ignores it, and an ignored signal would be handed on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the program is the point
    except FileNotFoundError:
        sys.stderr.write(f"box: {command[0]}: no such program\n")
        sys.exit(NOT_FOUND)
    except OSError as error:
        sys.stderr.write(f"box: {command[0]}: {error.strerror}\n")
        sys.exit(CANNOT_EXECUTE)


def main(arguments: list[str]) -> NoReturn:
    """Make the box and become the program."""
    parser = argparse.ArgumentParser(prog="box", allow_abbrev=False)
    # Two words, not one with a colon: a Cloud SQL connection name is a path with colons.
    for flag in ("--bind", "--readonly"):
        parser.add_argument(
            flag, action="append", default=[], nargs=2, metavar=("OUTSIDE", "INSIDE")
        )
    parser.add_argument("--user", type=int)
    parser.add_argument("--workdir")
    parser.add_argument("--network", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    user = os.geteuid() if options.user is None else options.user
    try:
        if options.network is not None:
            _join_network(options.network)
        if options.bind or options.readonly:
            _build(options, user)
        _drop(user)
        _die_with(options.parent)
        _execute(options.command, options.workdir)
    except (BoxError, OSError) as error:
        sys.stderr.write(f"box: {error}\n")
        sys.exit(NO_BOX)


if __name__ == "__main__":
    main(sys.argv[1:])
