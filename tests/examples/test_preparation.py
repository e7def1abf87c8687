"""What a team brings is brought once, and a preparation that was cut off is completed."""

from typing import Any

import pytest

from examples import preparation
from examples.project import SECRETS

REQUEST = {
    "name": "a",
    "access": {"mode": "iap", "oauth_client": {"id_secret": "id", "secret_secret": "hush"}},
}


class Vault:
    """A project's secrets: how many versions each of them has; stands in for Secret Manager."""

    name = "p"

    def __init__(self, **versions: int) -> None:
        self.versions = versions

    def call(self, method: str, url: str, body: Any = None, *, fine: tuple[int, ...] = ()) -> Any:
        """Make a secret, or a version of one."""
        assert method == "POST"
        path = url.removeprefix(f"{SECRETS}/projects/p/secrets")
        if path.startswith("?"):
            name = path.removeprefix("?secretId=")
            if name in self.versions:
                assert fine == (preparation.EXISTS,)
                return None
            self.versions[name] = 0
        else:
            assert body["payload"]["data"]
            self.versions[path.removeprefix("/").removesuffix(":addVersion")] += 1
        return {}

    def answers(self, url: str) -> bool:
        """Tell whether a secret has a version."""
        name = url.removeprefix(f"{SECRETS}/projects/p/secrets/").removesuffix("/versions/latest")
        return self.versions.get(name, 0) > 0

    def let(self, *_given: str) -> None:
        """Take any grant."""


@pytest.mark.parametrize(
    "there", [{}, {"id": 0}, {"id": 1, "hush": 0}, {"id": 1, "hush": 1}], ids=str
)
def test_each_secret_gets_one_value(there: dict[str, int]) -> None:
    """Also one that was made the last time and got none; what holds a value keeps it."""
    vault: Any = Vault(**there)

    for step in preparation.steps({**REQUEST, "training_account": {}}, vault, "ana@example.com"):
        step.run()

    assert vault.versions == {"id": 1, "hush": 1}
