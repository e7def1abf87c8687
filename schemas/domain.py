"""DomainHolder: domains/DOMAIN.json of the registry, which deployment a domain was promised to."""

from datetime import datetime

from pydantic import Field

from schemas.model import Model, Name


class DomainHolder(Model):
    """Whose a domain is. It counts for as long as that deployment wants the domain."""

    deployment: Name = Field(description="The deployment's name.", examples=["fraud"])
    since: datetime = Field(description="When it was asked for.", examples=["2026-11-20T07:25:00Z"])
