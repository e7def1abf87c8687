"""The ground every model stands on: closed, frozen, and every field explained."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$"
TEAM_PATTERN = r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$"
REGION_PATTERN = r"^[a-z]+-[a-z]+[0-9]+$"
VERSION_PATTERN = r"^[0-9]+\.[0-9]+\.[0-9]+$"
HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
ADDRESS = rf"[A-Za-z0-9._%+'-]+@{HOST}"
"""An e-mail address, the apostrophe of Google Workspace included; part of the patterns below."""
EMAIL_PATTERN = rf"^{ADDRESS}$"
DOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$"
RESOURCE_PATTERN = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
LABEL_KEY_PATTERN = r"^[a-z][-_a-z0-9]{0,62}$"
LABEL_VALUE_PATTERN = r"^[-_a-z0-9]{0,63}$"
MEMBER_PATTERN = rf"^((user|group|serviceAccount):{ADDRESS}|domain:{HOST})$"

# PostgreSQL, MySQL and Cloud SQL keep these for themselves, and a deployment's database and
# user carry the deployment's name. "none" and "public" cannot be role names at all.
RESERVED_NAMES = frozenset(
    {
        "postgres",
        "template0",
        "template1",
        "none",
        "public",
        "mysql",
        "root",
        "sys",
        "cloudsqladmin",
        "cloudsqlagent",
        "cloudsqlimportexport",
        "cloudsqlinactiveuser",
        "cloudsqllogical",
        "cloudsqlreplica",
        "cloudsqlsuperuser",
    }
)


class Model(BaseModel):
    """A closed and frozen model; an unknown field is an error that names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def document(self) -> dict[str, Any]:
        """Return the JSON document: every field present, null where there is nothing.

        The workflow reads these documents, and reading a missing key there is an error.
        """
        return self.model_dump(mode="json")


def _is_free_for_a_deployment(name: str) -> str:
    if name in RESERVED_NAMES:
        raise PydanticCustomError(
            "reserved_name",
            "{name} is a name that the database keeps for itself; choose another",
            {"name": name},
        )
    if "google" in name or name.startswith("goog"):
        raise PydanticCustomError(
            "reserved_name",
            "{name} contains 'google', which Cloud Storage refuses in bucket names; choose another",
            {"name": name},
        )
    return name


Flag = StrictBool
Count = StrictInt
Name = Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_is_free_for_a_deployment)]
Team = Annotated[str, Field(pattern=TEAM_PATTERN)]
Region = Annotated[str, Field(pattern=REGION_PATTERN, max_length=40)]
Version = Annotated[str, Field(pattern=VERSION_PATTERN, max_length=20)]
Email = Annotated[str, Field(pattern=EMAIL_PATTERN, max_length=254)]
Generation = Annotated[int, Field(ge=1, strict=True)]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY_PATTERN)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE_PATTERN)]
