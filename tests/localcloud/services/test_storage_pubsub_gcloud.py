"""The gcloud commands for storage and Pub/Sub, as a person types them; slow, where gcloud is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests

from localcloud.account_keys import USER
from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Gcloud = Callable[..., str]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed"),
]


@pytest.fixture
def gcloud(served: Cloud, tmp_path: Path) -> Gcloud:
    """Runs a gcloud command as the owner and gives what it prints."""
    assert served.serving is not None
    token = tmp_path / "token"
    token.write_text(served.tokens.access_token(OWNER))
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_CORE_PROJECT": served.project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(served.serving.bundle),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(served.serving.port),
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            ["gcloud", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_life_of_a_bucket(gcloud: Gcloud, tmp_path: Path) -> None:
    """Made, labelled, filled with a folder, listed, read, granted, emptied and deleted."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("alpha")
    (folder / "sub" / "b.txt").write_text("beta")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9_000_000))
    bucket = "gs://gcloud-life"

    gcloud("storage", "buckets", "create", bucket, "--location=europe-west1")
    gcloud("storage", "buckets", "update", bucket, "--update-labels=a=b", "--versioning")
    shown = json.loads(gcloud("storage", "buckets", "describe", bucket, "--format=json"))
    gcloud("storage", "cp", "-r", str(folder), str(large), bucket)
    listed = gcloud("storage", "ls", f"{bucket}/**.txt").split()
    gcloud("storage", "cp", f"{bucket}/large", str(tmp_path / "back"))
    role = ("--member=user:x@example.com", "--role=roles/storage.objectViewer")
    gcloud("storage", "buckets", "add-iam-policy-binding", bucket, *role)

    assert (shown["location"], shown["labels"]) == ("EUROPE-WEST1", {"a": "b"})
    assert listed == [f"{bucket}/folder/a.txt", f"{bucket}/folder/sub/b.txt"]
    assert gcloud("storage", "cat", f"{bucket}/folder/a.txt") == "alpha"
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert "user:x@example.com" in gcloud("storage", "buckets", "get-iam-policy", bucket)
    gcloud("storage", "rm", "-r", bucket)
    assert bucket not in gcloud("storage", "buckets", "list", "--format=value(storage_url)")


def test_what_is_made_of_objects(gcloud: Gcloud, served: Cloud, tmp_path: Path) -> None:
    """Composed, signed for somebody without an account here, and told to a topic."""
    bucket, signer = "gs://gcloud-made", "signer@elsewhere.iam.gserviceaccount.com"
    part, key = tmp_path / "part", tmp_path / "key.json"
    part.write_text("part ")
    made, pem = served.tokens.accounts.make(signer, kind=USER)
    uri = "https://oauth2.googleapis.com/token"
    file = {"type": "service_account", "client_email": signer, "token_uri": uri}
    file |= {"private_key_id": made["id"], "private_key": pem, "client_id": "1"}
    key.write_text(json.dumps(file))
    served.grant(f"serviceAccount:{signer}", "roles/storage.admin")

    gcloud("storage", "buckets", "create", bucket, "--location=europe-west1")
    gcloud("storage", "cp", str(part), f"{bucket}/a")
    gcloud("storage", "objects", "compose", f"{bucket}/a", f"{bucket}/a", f"{bucket}/both")
    signing = ("--duration=5m", f"--private-key-file={key}", "--format=json")
    signed = json.loads(gcloud("storage", "sign-url", f"{bucket}/both", *signing))
    gcloud("storage", "buckets", "notifications", "create", bucket, "--topic=made")
    told = gcloud("storage", "buckets", "notifications", "list", bucket)

    assert requests.get(signed[0]["signed_url"], timeout=30).text == "part part "
    assert "projects/berth-local/topics/made" in told


def test_the_life_of_a_topic(gcloud: Gcloud) -> None:
    """Made, subscribed to with a filter, published to, pulled from, sought and deleted."""
    gcloud("pubsub", "topics", "create", "news", "--labels=a=b")
    wanted = '--message-filter=attributes.team="risk"'
    gcloud("pubsub", "subscriptions", "create", "mine", "--topic=news", wanted)
    for team in ("other", "risk"):
        gcloud(
            "pubsub", "topics", "publish", "news", f"--message={team}", f"--attribute=team={team}"
        )
    gcloud("pubsub", "snapshots", "create", "before", "--subscription=mine")

    pull = ("pubsub", "subscriptions", "pull", "mine", "--auto-ack", "--limit=10")
    data = "--format=value(message.data.decode(base64))"
    assert gcloud(*pull, data).split() == ["risk"]
    gcloud("pubsub", "subscriptions", "seek", "mine", "--snapshot=before")
    assert gcloud(*pull, data).split() == ["risk"]

    gcloud("pubsub", "subscriptions", "update", "mine", "--ack-deadline=60")
    shown = json.loads(gcloud("pubsub", "subscriptions", "describe", "mine", "--format=json"))
    assert shown["ackDeadlineSeconds"] == 60
    assert "mine" in gcloud("pubsub", "topics", "list-subscriptions", "news")
    gcloud("pubsub", "snapshots", "delete", "before")
    gcloud("pubsub", "subscriptions", "delete", "mine")
    gcloud("pubsub", "topics", "delete", "news")
    assert "news" not in gcloud("pubsub", "topics", "list", "--format=value(name)")
