"""Hypothesis strategies: platforms as install makes them, and requests that they admit."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from planner import sizes
from schemas.access import MOST_MEMBERS, BasicAuth, IamAccess
from schemas.database import MySql, PostgreSql
from schemas.deployment import DeploymentRequest, Spec
from schemas.model import RESERVED_NAMES
from schemas.platform import (
    Accounts,
    Functions,
    ImageSource,
    Platform,
    Pool,
    RegionOffer,
    Workflows,
)
from schemas.serving import CloudRun

LOWER = "abcdefghijklmnopqrstuvwxyz"
REGIONS = {"europe-west1": "ew", "us-central1": "uc", "northamerica-northeast1": "nn"}
VERSIONS = ("3.17.2", "2.22.5", "3.18.0")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHA = "sha256:" + "0123456789abcdef" * 4


def words(longest: int) -> st.SearchStrategy[str]:
    """Draw names of 1 to `longest` characters as Google likes them."""
    body = st.text(LOWER + "0123456789-", max_size=longest - 2)
    ends = st.sampled_from(LOWER + "0123456789")
    return st.one_of(
        st.sampled_from(LOWER),
        st.builds(
            lambda first, middle, last: first + middle + last, st.sampled_from(LOWER), body, ends
        ),
    )


names = words(20).filter(
    lambda name: name not in RESERVED_NAMES and "google" not in name and not name.startswith("goog")
)
projects = words(30).filter(lambda name: len(name) >= 6 and "google" not in name)
emails = st.builds("{}@{}.example.com".format, words(30), words(30))
members = st.builds(
    "{}:{}".format, st.sampled_from(["user", "group", "serviceAccount"]), emails
) | st.builds("domain:{}.example.com".format, words(20))
labels = st.dictionaries(
    st.text(LOWER, min_size=1, max_size=20).filter(
        lambda key: not key.startswith(("berth-", "managed-by"))
    ),
    st.text(LOWER + "0123456789_-", max_size=20),
    max_size=8,
)


@st.composite
def platforms(draw: st.DrawFn) -> Platform:
    """Draw what an installation may have made."""
    project = draw(projects)
    number = draw(st.from_regex(r"\A[1-9][0-9]{11}\Z"))
    regions = draw(st.lists(st.sampled_from(sorted(REGIONS)), min_size=1, unique=True))
    versions = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, unique=True))
    return Platform(
        project_id=project,
        project_number=number,
        regions={
            region: RegionOffer(
                host_suffixes=(
                    f"-{number}.{region}.run.app",
                    f"-x7k2abcdeq-{REGIONS[region]}.a.run.app",
                ),
                pool=Pool(
                    instance="berth-pool-1", connection_name=f"{project}:{region}:berth-pool-1"
                )
                if draw(st.booleans())
                else None,
                image_repository=f"{regions[0]}-docker.pkg.dev/{project}/berth",
            )
            for region in regions
        },
        default_region=regions[0],
        registry_bucket=f"{project}-berth-registry",
        topic=f"projects/{project}/topics/berth-events",
        accounts=Accounts(
            **{
                role: f"berth-{role}@{project}.iam.gserviceaccount.com"
                for role in Accounts.model_fields
            }
        ),
        functions=Functions(
            **{
                name: f"https://berth-{name}-{number}.{regions[0]}.run.app"
                for name in Functions.model_fields
            }
        ),
        workflows=Workflows(
            **{
                name: f"projects/{project}/locations/{regions[0]}/workflows/berth-{name}"
                for name in Workflows.model_fields
            }
        ),
        images={
            version: ImageSource(
                digest=draw(st.from_regex(r"\A[0-9a-f]{12}\Z")),
                bucket=f"{project}-berth-source",
                object=f"images/{version}.tar.gz",
                generation="1731400000000000",
            )
            for version in versions
        },
        proxy_image=ImageSource(
            digest="0a1b2c3d4e5f",
            bucket=f"{project}-berth-source",
            object="images/oauth2-proxy.tar.gz",
            generation="1731400000000000",
        ),
    )


@st.composite
def requests(draw: st.DrawFn, platform: Platform) -> DeploymentRequest:
    """Draw what may be asked of `platform`."""
    region = draw(st.none() | st.sampled_from(sorted(platform.regions)))
    pool = platform.regions[region or platform.default_region].pool
    placement = draw(st.sampled_from(["pooled", "dedicated"] if pool else ["dedicated"]))
    size = draw(st.sampled_from(sorted(sizes.SHAPES)))
    most = sizes.most_instances(DeploymentRequest(name="a", team="a", size=size))
    high = draw(st.none() | st.integers(1, most))
    engines: list[PostgreSql | MySql] = [
        PostgreSql(),
        PostgreSql(version="16"),
        MySql(engine="mysql"),
    ]
    database = draw(st.sampled_from(engines if placement == "dedicated" else engines[:1]))
    logins = st.builds(
        BasicAuth,
        mode=st.just("basic_auth"),
        admin_username=st.from_regex(r"\A[a-z][-_.a-z0-9]{1,39}\Z"),
    )
    return DeploymentRequest(
        name=draw(names),
        team=draw(words(30)),
        region=region,
        size=size,
        placement=placement,
        highly_available=placement == "dedicated" and size != "small" and draw(st.booleans()),
        database=database,
        mlflow_version=draw(st.sampled_from(sorted(platform.images))),
        serving=CloudRun(
            platform="cloud_run",
            min_instances=draw(st.integers(0, min(high or most, 10))),
            max_instances=high,
        ),
        access=draw(
            st.builds(
                IamAccess,
                members=st.lists(members, max_size=MOST_MEMBERS, unique=True).map(tuple),
            )
            | (logins if database.engine == "postgresql" else st.nothing())
        ),
        on_failure=draw(st.sampled_from(["ROLLBACK", "KEEP"])),
        labels=draw(labels),
    )


@st.composite
def orders(draw: st.DrawFn) -> tuple[Spec, Platform]:
    """Draw a deployment and the platform it goes to."""
    platform = draw(platforms())
    request = draw(requests(platform))
    spec = spec_of(
        request,
        generation=draw(st.integers(1, 10**6)),
        uid=draw(st.from_regex(r"\A[a-z0-9]{12}\Z")),
    )
    return spec, platform


def spec_of(request: DeploymentRequest, *, generation: int = 1, uid: str = "3f9c2b7a41d0") -> Spec:
    """Return the spec that the api writes for `request`."""
    return Spec(
        name=request.name,
        generation=generation,
        uid=uid,
        desired="present",
        request=request,
        created_by="ana@example.com",
        created=NOON,
        updated=NOON,
    )


def observed(platform: Platform) -> dict[str, str]:
    """Return what the parts of a deployment learn when all goes well."""
    version = "projects/{}/secrets/{}/versions/1"
    return {
        "admin_password_version": version.format(platform.project_number, "a"),
        "flask_secret_version": version.format(platform.project_number, "f"),
        "db_password_version": version.format(platform.project_number, "d"),
        "image_version": f"projects/{platform.project_id}/locations/r/repositories/berth"
        f"/packages/tracking-server/versions/{SHA}",
        "url": "https://mlflow.example.run.app",
    }
