"""Keys of our own in place of Google's, so that tokens of every kind can be made."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from functions_framework import create_app
from google.auth import crypt, jwt

from functions.door import certificates
from functions.records import platform
from schemas.platform import Platform
from schemas.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"


@dataclass(frozen=True)
class Issuer:
    """Signs ID tokens with one key."""

    signer: crypt.RSASigner
    certificate: str

    def token(self, **changes: Any) -> str:
        """Make a token of ana's that is right in everything but the changes (None: left out)."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": "https://api.example",
            "email": "ana@example.com",
            "email_verified": True,
            "iat": now - 5,
            "exp": now + 3600,
            **changes,
        }
        known = {key: value for key, value in claims.items() if value is not None}
        encoded: bytes = jwt.encode(self.signer, known)  # type: ignore[no-untyped-call]
        return encoded.decode()


def make_issuer(key_id: str) -> Issuer:
    """Make a key, and a certificate for it as Google publishes them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(tz=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Issuer(
        crypt.RSASigner(key, key_id),  # type: ignore[no-untyped-call]
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


@pytest.fixture(scope="session")
def google() -> Issuer:
    """The issuer whose certificate is published."""
    return make_issuer("key-1")


@pytest.fixture(scope="session")
def forger() -> Issuer:
    """An issuer who claims Google's key id, with a key of his own."""
    return make_issuer("key-1")


def keep_certificate(issuer: Issuer) -> None:
    """Publish the certificate of an issuer."""
    certificates.keep(
        CERTIFICATES, json.dumps({"key-1": issuer.certificate}).encode(), seconds=3600
    )


@pytest.fixture
def published(google: Issuer) -> Iterator[None]:
    """Google's certificates as if they had just been fetched."""
    keep_certificate(google)
    yield
    certificates.forget()


BUCKET = "acme-berth-registry"
API = "https://berth-api-123456789012.europe-west1.run.app"


def make_platform(*, project: str = "acme-mlflow", **changes: Any) -> Platform:
    """Return what install would have written, with a pool in one region and none in the other."""
    accounts = ("api", "plan", "credentials", "verify", "stranger", "workflow", "build")
    host = "123456789012.{region}.run.app"
    return Platform.model_validate(
        {
            "project_id": project,
            "project_number": "123456789012",
            "regions": {
                region: {
                    "host_suffixes": [
                        "-" + host.format(region=region),
                        f"-x7k2abcdeq-{short}.a.run.app",
                    ],
                    "pool": pool,
                    "image_repository": f"{region}-docker.pkg.dev/{project}/berth",
                }
                for region, short, pool in (
                    (
                        "europe-west1",
                        "ew",
                        {
                            "instance": "berth-pool-1",
                            "connection_name": f"{project}:europe-west1:berth-pool-1",
                        },
                    ),
                    ("us-central1", "uc", None),
                )
            },
            "default_region": "europe-west1",
            "registry_bucket": BUCKET,
            "topic": f"projects/{project}/topics/berth-events",
            "accounts": {
                name: f"berth-{name}@{project}.iam.gserviceaccount.com" for name in accounts
            },
            "functions": {
                name: f"https://berth-{name}-123456789012.europe-west1.run.app"
                for name in ("plan", "credentials", "verify")
            },
            "workflows": {
                name: f"projects/{project}/locations/europe-west1/workflows/berth-{name}"
                for name in ("provision", "teardown")
            },
            "images": {
                version: {
                    "digest": "0a1b2c3d4e5f",
                    "bucket": "acme-berth-source",
                    "object": "images/tracking-server-0a1b2c3d4e5f.tar.gz",
                    "generation": "1731400000000000",
                }
                for version in ("3.17.2", "2.22.5")
            },
            "proxy_image": {
                "digest": "5f4e3d2c1b0a",
                "bucket": "acme-berth-source",
                "object": "images/oauth2-proxy-5f4e3d2c1b0a.tar.gz",
                "generation": "1731400000000000",
            },
            **changes,
        }
    )


def make_policy(**changes: Any) -> Policy:
    """Return rules for two teams: risk, which ana belongs to, and fraud, with narrow limits."""
    return Policy.model_validate(
        {
            "admins": ["user:owner@example.com"],
            "teams": {
                "risk": {"members": ["user:Ana@example.com", "domain:risk.example.com"]},
                "fraud": {
                    "members": [
                        "user:ana@example.com",
                        "serviceAccount:ci@acme-mlflow.iam.gserviceaccount.com",
                    ],
                    "limits": {
                        "deployments": 1,
                        "sizes": ["small"],
                        "regions": ["us-central1"],
                        "placements": ["dedicated"],
                    },
                },
            },
            **changes,
        }
    )


def serve(target: str) -> Any:
    """Serve one function of the real main.py, as functions-framework does."""
    return create_app(target, str(ROOT / "main.py")).test_client()  # type: ignore[no-untyped-call]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, google: Issuer) -> Iterator[None]:
    """Platform and policy as if they had just been read; nothing else of the cloud is there."""
    monkeypatch.setenv("BERTH_REGISTRY", BUCKET)
    monkeypatch.setenv("K_SERVICE", "berth-api")
    keep_certificate(google)
    platform.keep("platform.json", make_platform(), seconds=3600)
    platform.keep("policy.yaml", make_policy(), seconds=3600)
    yield
    platform.forget()
    certificates.forget()


class Ask:
    """Posts requests of one caller, for the plan only."""

    def __init__(self, api: Any, google: Issuer) -> None:
        self.api = api
        self.google = google

    def __call__(self, body: object, *, who: str = "ana@example.com") -> Any:
        """Post a body as somebody."""
        token = self.google.token(aud=API, email=who)
        return self.api.post(
            "/v1/deployments?validate_only=true",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )


@pytest.fixture(scope="session")
def api() -> Any:
    """The api in this process."""
    return serve("api")


@pytest.fixture
def ask(api: Any, google: Issuer) -> Ask:
    """Somebody who asks for plans."""
    return Ask(api, google)
