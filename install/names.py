"""What things are called. Every name is built from the project and the region, none is random."""

from dataclasses import dataclass
from types import MappingProxyType

MARK = MappingProxyType({"managed-by": "berth"})
"""The labels on everything that Berth's installation owns."""

FUNCTIONS = ("api", "plan", "credentials", "verify")
WORKFLOWS = ("provision", "teardown")
ACCOUNTS = (
    "api",
    "plan",
    "credentials",
    "verify",
    "stranger",
    "workflow",
    "build",
    "app-engine",
)

POOL = "berth-pool-1"
REPOSITORY = "berth"


@dataclass(frozen=True)
class Names:
    """The names of one installation."""

    project: str
    number: str
    region: str

    @property
    def location(self) -> str:
        """Return the region as Google's names begin with it."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def registry(self) -> str:
        """Return the bucket of specs, statuses and claims."""
        return f"{self.project}-berth-registry"

    @property
    def source(self) -> str:
        """Return the bucket of what images are built from."""
        return f"{self.project}-berth-source"

    @property
    def topic(self) -> str:
        """Return the topic of the status events, by its full name."""
        return f"projects/{self.project}/topics/berth-events"

    @property
    def image_repository(self) -> str:
        """Return the repository of the tracking server's images, as Docker names it."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{REPOSITORY}"

    def account(self, name: str) -> str:
        """Return the e-mail address of one of Berth's service accounts."""
        return f"berth-{name}@{self.project}.iam.gserviceaccount.com"

    def member(self, name: str) -> str:
        """Return the same as a member of a policy."""
        return f"serviceAccount:{self.account(name)}"

    def function(self, name: str) -> str:
        """Return the full name of one of Berth's functions."""
        return f"{self.location}/functions/berth-{name}"

    def service(self, name: str) -> str:
        """Return the full name of the Cloud Run service that a function is."""
        return f"{self.location}/services/berth-{name}"

    def url(self, name: str) -> str:
        """Return where a function answers; Cloud Run's deterministic address, known beforehand."""
        return f"https://berth-{name}-{self.number}.{self.region}.run.app"

    def workflow(self, name: str) -> str:
        """Return the full name of a workflow."""
        return f"{self.location}/workflows/berth-{name}"
