"""Hypothesis strategies: platforms as install makes them, and requests that they admit."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from planner import sizes
from schemas.access import (
    MOST_MEMBERS,
    Access,
    BasicAuth,
    IamAccess,
    Iap,
    IapAccess,
    OAuth2Proxy,
    OAuthClient,
    TrainingAccount,
)
from schemas.database import MySql, PostgreSql
from schemas.deployment import DeploymentRequest, Spec
from schemas.model import RESERVED_NAMES
from schemas.network import LoadBalancer, Network
from schemas.platform import (
    Accounts,
    Functions,
    ImageSource,
    Platform,
    Pool,
    RegionOffer,
    Workflows,
)
from schemas.serving import AppEngine, CloudRun

LOWER = "abcdefghijklmnopqrstuvwxyz"
REGIONS = {"europe-west1": "ew", "us-central1": "uc", "northamerica-northeast1": "nn"}
VERSIONS = ("3.17.2", "2.22.5", "3.18.0")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONGEST_TRAINING_NAME = 17
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
everybody = st.lists(members, max_size=MOST_MEMBERS, unique=True).map(tuple)
addresses = st.builds("{}:{}".format, st.sampled_from(["user", "serviceAccount"]), emails)
oauth_clients = st.builds(
    OAuthClient,
    id_secret=words(20).map("client-id-{}".format),
    secret_secret=words(20).map("client-secret-{}".format),
)
mail_domains = st.lists(words(20).map("{}.example.com".format), max_size=5, unique=True).map(tuple)
labels = st.dictionaries(
    st.text(LOWER, min_size=1, max_size=20).filter(
        lambda key: not key.startswith(("berth-", "managed-by"))
    ),
    st.text(LOWER + "0123456789_-", max_size=20),
    max_size=8,
)


ranges = st.lists(st.integers(0, 255), max_size=255, unique=True).map(
    lambda found: tuple(f"198.18.{number}.0/24" for number in found[:200])
)
domains = st.builds("mlflow.{}.example.com".format, words(30))


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
        verify_ranges=draw(st.sampled_from([(), ("203.0.113.7/32",)])),
    )


@st.composite
def iaps(draw: st.DrawFn, model: type[Iap], *, balanced: bool) -> Any:
    """Draw whom Identity-Aware Proxy lets in; a limit to domains goes with groups only."""
    limit = draw(mail_domains)
    groups = st.builds("group:{}".format, emails)
    few = st.lists(groups, max_size=5, unique=True).map(tuple)
    said = {
        "members": draw(few if limit else everybody),
        "allowed_domains": limit,
        "oauth_client": draw(st.none() | oauth_clients),
        "guard": draw(st.sampled_from(["service", "load_balancer"] if balanced else ["service"])),
    }
    return model.model_validate(said | ({"mode": "iap"} if model is IapAccess else {}))


def accesses(engine: str, *, balanced: bool = False) -> st.SearchStrategy[Access]:
    """Draw who may enter a server on Cloud Run with a database of `engine`."""
    logins = st.builds(
        BasicAuth,
        mode=st.just("basic_auth"),
        admin_username=st.from_regex(r"\A[a-z][-_.a-z0-9]{1,39}\Z"),
        iap=st.none() | iaps(Iap, balanced=balanced),
    )
    proxies = st.builds(
        OAuth2Proxy,
        mode=st.just("oauth2_proxy"),
        oauth_client=oauth_clients,
        email_domains=mail_domains,
        members=st.lists(addresses, max_size=MOST_MEMBERS, unique=True).map(tuple),
        extra_issuers=st.lists(
            words(20).map("https://token.example.com/{}=mlflow".format), max_size=3, unique=True
        ).map(tuple),
    )
    modes = [st.builds(IamAccess, members=everybody), iaps(IapAccess, balanced=balanced), proxies]
    return st.one_of(*modes, *([logins] if engine == "postgresql" else []))


networks = st.none() | st.builds(
    Network,
    name=words(60).filter(lambda name: name[0].isalpha()),
    subnetwork=st.none() | words(60).filter(lambda name: name[0].isalpha()),
)


def flexible(most: int) -> st.SearchStrategy[AppEngine]:
    """Draw how a server runs on App Engine, with at most `most` instances."""
    scaled = st.builds(
        AppEngine,
        platform=st.just("app_engine"),
        min_instances=st.none() | st.just(1),
        max_instances=st.integers(1, most),
        target_cpu=st.none() | st.sampled_from([0.5, 0.9]),
    )
    fixed = st.builds(
        AppEngine, platform=st.just("app_engine"), instances=st.integers(1, min(most, 10))
    )
    return scaled | fixed


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
    balancers = st.builds(
        LoadBalancer,
        domain=domains,
        dns_zone=st.none() | words(60).filter(lambda name: name[0].isalpha()),
        allowed_ranges=ranges if platform.verify_ranges else st.just(()),
    )
    name, balancer = draw(names), draw(st.none() | balancers)
    serving: CloudRun | AppEngine = CloudRun(
        platform="cloud_run",
        min_instances=draw(st.integers(0, min(high or most, 10))),
        max_instances=high,
    )
    who = accesses(database.engine, balanced=balancer is not None)
    if draw(st.booleans()):
        # Nobody asks for a login there but Identity-Aware Proxy, before the service.
        serving, who = draw(flexible(high or most)), iaps(IapAccess, balanced=False)
    access = draw(who)
    trains = access.mode != "basic_auth" and len(name) <= LONGEST_TRAINING_NAME
    return DeploymentRequest(
        name=name,
        team=draw(words(30)),
        region=region,
        size=size,
        placement=placement,
        highly_available=placement == "dedicated" and size != "small" and draw(st.booleans()),
        database=database,
        mlflow_version=draw(st.sampled_from(sorted(platform.images))),
        serving=serving,
        access=access,
        network=draw(networks if placement == "dedicated" else st.none()),
        training_account=draw(
            st.builds(TrainingAccount, impersonated_by=everybody) | st.none()
            if trains
            else st.none()
        ),
        load_balancer=balancer,
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
    image = f"projects/{platform.project_id}/locations/r/repositories/berth/packages/{{}}/versions/{SHA}"
    return {
        "app_engine_host": f"{platform.project_id}.ew.r.appspot.com",
        "admin_password_version": version.format(platform.project_number, "a"),
        "flask_secret_version": version.format(platform.project_number, "f"),
        "db_password_version": version.format(platform.project_number, "d"),
        "image_version": image.format("tracking-server"),
        "proxy_config_version": version.format(platform.project_number, "c"),
        "proxy_image_version": image.format("oauth2-proxy"),
        "proxy_members_version": version.format(platform.project_number, "m"),
        "url": "https://mlflow.example.run.app",
        "address": "203.0.113.10",
        "dns_record_name": "_acme-challenge.mlflow.risk.example.com.",
        "dns_record_data": "0a1b2c3d.5.authorize.certificatemanager.goog.",
    }
