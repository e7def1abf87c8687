"""A platform as install leaves it, for the examples."""

from typing import Any

import pytest

from schemas.platform import Platform

NUMBER = "123456789012"


def platform_of(**changes: Any) -> Platform:
    """Return a platform with two regions, one with a pool, and two MLflow versions."""
    home = "projects/acme-mlflow/locations/europe-west1/workflows"
    document: dict[str, Any] = {
        "project_id": "acme-mlflow",
        "project_number": NUMBER,
        "regions": {
            "europe-west1": {
                "host_suffixes": [f"-{NUMBER}.europe-west1.run.app", "-x7k2abcdeq-ew.a.run.app"],
                "pool": {
                    "instance": "berth-pool-1",
                    "connection_name": "acme-mlflow:europe-west1:berth-pool-1",
                },
                "image_repository": "europe-west1-docker.pkg.dev/acme-mlflow/berth",
            },
            "us-central1": {
                "host_suffixes": [f"-{NUMBER}.us-central1.run.app"],
                "pool": None,
                "image_repository": "us-central1-docker.pkg.dev/acme-mlflow/berth",
            },
        },
        "default_region": "europe-west1",
        "registry_bucket": "acme-mlflow-berth-registry",
        "topic": "projects/acme-mlflow/topics/berth-events",
        "accounts": {
            role: f"berth-{role}@acme-mlflow.iam.gserviceaccount.com"
            for role in ("api", "plan", "credentials", "verify", "stranger", "workflow", "build")
        },
        "functions": {
            name: f"https://berth-{name}-{NUMBER}.europe-west1.run.app"
            for name in ("plan", "credentials", "verify")
        },
        "workflows": {name: f"{home}/berth-{name}" for name in ("provision", "teardown")},
        "images": {
            "3.17.2": {
                "digest": "0a1b2c3d4e5f",
                "bucket": "acme-mlflow-berth-source",
                "object": "images/0a1b2c3d4e5f.tar.gz",
                "generation": "1731400000000000",
            },
            "2.22.5": {
                "digest": "5f4e3d2c1b0a",
                "bucket": "acme-mlflow-berth-source",
                "object": "images/5f4e3d2c1b0a.tar.gz",
                "generation": "1731400000000001",
            },
        },
        "proxy_image": {
            "digest": "1a2b3c4d5e6f",
            "bucket": "acme-mlflow-berth-source",
            "object": "images/1a2b3c4d5e6f.tar.gz",
            "generation": "1731400000000002",
        },
    }
    return Platform.model_validate({**document, **changes})


@pytest.fixture
def platform() -> Platform:
    """The platform most examples go to."""
    return platform_of()
