"""Observed: what earlier parts learned, and what stands in for it before they ran."""

from collections.abc import Mapping, Sequence

Observed = Mapping[str, str | Sequence[str] | None]

PLACEHOLDERS: dict[str, str] = {
    "app_engine_host": "(known once the application is there)",
    "address": "(known once the address is reserved)",
    "dns_record_name": "(known once the domain's authorisation is asked for)",
    "dns_record_data": "(known once the domain's authorisation is asked for)",
    "admin_password_version": "(known once the secret is made)",
    "flask_secret_version": "(known once the secret is made)",
    "db_password_version": "(known once the secret is made)",
    "image_version": "(known once the image is there)",
    "proxy_config_version": "(known once the secret is made)",
    "proxy_image_version": "(known once the image is there)",
    "proxy_members_version": "(known once the secret is made)",
    "url": "(known once the server answers)",
}
"""For a plan that nothing is made from: what would be known by then, said in words."""


class NotObservedError(KeyError):
    """A part was asked for before the part that learns what it needs."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        """Return a sentence that names what is missing."""
        return f"observed has no {self.name}; the part that learns it must come first"


def last_segment(observed: Observed, name: str) -> str:
    """Return what stands after the last slash of an observed resource name."""
    value = observed.get(name)
    if not isinstance(value, str) or not value:
        raise NotObservedError(name)
    return value.rsplit("/", 1)[-1]
