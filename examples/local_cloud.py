"""What only the local cloud can say: tokens of made-up people, links for a browser."""

import os
import shlex
import subprocess
import sys

USUAL_STATE = ".localcloud"


class LocalCloud:
    """The local cloud of one state folder, by its own commands."""

    def __init__(self, state: str) -> None:
        self.state = state

    def say(self, *words: str) -> str:
        """Return what `python -m localcloud WORDS` prints; stop with its words if it cannot."""
        command = [sys.executable, "-m", "localcloud", *words, "--state", self.state]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        if ended.returncode:
            sys.exit(ended.stderr.strip())
        return ended.stdout.strip()

    def spelled(self, *words: str) -> str:
        """Return a command of the local cloud as somebody types it in the project's folder."""
        where = () if self.state == USUAL_STATE else ("--state", self.state)
        return shlex.join([".venv/bin/python", "-m", "localcloud", *words, *where])

    def login(self, account: str, network: str | None = None) -> str:
        """Return what makes a shell somebody's, who may stand in a VPC network."""
        return f'eval "$({self.spelled(*_env(account, network))})"'

    def environment(self, account: str, network: str | None = None) -> dict[str, str]:
        """Return the variables of somebody's machine, which may stand in a VPC network."""
        variables = dict(os.environ)
        for line in self.say(*_env(account, network)).splitlines():
            command, *names = shlex.split(line)
            if command == "unset":
                variables = {name: value for name, value in variables.items() if name not in names}
            else:
                for assignment in names:
                    name, _, value = assignment.partition("=")
                    variables[name] = value
        return variables


def _env(account: str, network: str | None) -> tuple[str, ...]:
    inside = () if network is None else ("--network", network)
    return ("env", "--account", account, *inside)
