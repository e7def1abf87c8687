"""One of the example requests, from what the team brings itself to the last trace of it removed.

`make example NAME=…` calls it, with the local cloud's variables in the environment. What is local
here is only where tokens and the browser's link come from, and that nobody waits for DNS.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from examples import ending, preparation, proof, walk
from examples.api import POLL_SECONDS, Api, seconds_since
from examples.local_cloud import LocalCloud
from examples.project import Project

PERSON = "ana@example.com"
ADDRESS = "127.0.0.1/32"
"""Where this machine is seen to call from."""

CERTIFICATE_SECONDS = 120


def main() -> None:
    """Show the whole life of one deployment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=names())
    parser.add_argument("--state", default=".localcloud")
    parser.add_argument("--project", default="berth-local")
    parser.add_argument("--region", default="europe-west1")
    parser.add_argument("--keep", action="store_true", help="leave it for the reader to look at")
    given = parser.parse_args()
    cloud, project = LocalCloud(given.state), Project(given.project)
    number = cloud.say("status", "--format", "project-number")
    api = Api(f"https://berth-api-{number}.{given.region}.run.app", cloud.say("token", PERSON))
    file = Path(__file__).with_name(f"{given.name}.json")
    request = preparation.personal(json.loads(file.read_text()), project, ADDRESS)
    name = request["name"]

    prepare(request, project)
    api.remove(name, "(left from the last time)")
    print(f"POST /v1/deployments {json.dumps(request)}", flush=True)
    started = time.monotonic()
    deployment = wait_for_certificate(api, api.make(request))
    print(f"READY in {seconds_since(started)}")
    show_the_way_in(deployment)
    show_the_way_in_here(deployment, cloud)
    urls = proof.addresses(api, project, request)
    print(f"\n{len(proof.there(project, urls))} resources are its own\n", flush=True)
    environment = machine(request, deployment, cloud, project)
    walk.train(environment)
    walk.bring_artifact(environment)
    if given.keep:
        print("\nkept; this removes it, in a shell as above:")
        token = f"$({cloud.spelled('token', PERSON)})"
        print(
            f'  curl -X DELETE -H "Authorization: Bearer {token}" {api.url}/v1/deployments/{name}'
        )
        return
    print()
    api.remove(name)
    proof.gone(project, urls)
    print(f"none of its {len(urls)} resources is there any more")


def names() -> list[str]:
    """Return what NAME may be."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.json"))


def prepare(request: dict[str, Any], project: Project) -> None:
    """Do what the team does before it asks, and show how it is done on Google Cloud."""
    steps = list(preparation.steps(request, project, PERSON))
    if steps:
        print("\nwhat the team brings itself, once:")
    why = None
    for step in steps:
        if step.why != why:
            print(f"  # {step.why}")
        why = step.why
        print(f"  {step.command}", flush=True)
        step.run()
    print()


def wait_for_certificate(api: Api, deployment: dict[str, Any]) -> dict[str, Any]:
    """Wait until the load balancer can be spoken to; READY does not wait for that."""
    deadline = time.monotonic() + CERTIFICATE_SECONDS
    if deployment.get("certificate") not in {None, "ACTIVE"}:
        print("READY; the certificate is still being issued …", flush=True)
    while deployment.get("certificate") not in {None, "ACTIVE"}:
        if time.monotonic() > deadline:
            sys.exit(
                f"the certificate is {deployment['certificate']} after {CERTIFICATE_SECONDS} s"
            )
        time.sleep(POLL_SECONDS)
        deployment = api.call("GET", f"/v1/deployments/{deployment['name']}")
    if deployment.get("certificate") == "ACTIVE":
        print(f"the certificate is ACTIVE, and everything proved through {deployment['url']}")
    return deployment


def show_the_way_in(deployment: dict[str, Any]) -> None:
    """Print how people and programs log in, and what is left to be done by hand."""
    for line in deployment["login"]:
        print(f"  {line}")


def show_the_way_in_here(deployment: dict[str, Any], cloud: LocalCloud) -> None:
    """Print how the same is tried on this machine, where Google's names have to be led here."""
    network = inside(deployment["request"])
    print("on this machine:")
    if network is None:
        link = cloud.say("link", deployment["url"], "--account", PERSON)
        print(f"  browser:  {link} # signed in as {PERSON}")
    print(f"  programs: {cloud.login(PERSON, network)} # first, in each shell")


def inside(request: dict[str, Any]) -> str | None:
    """Return the network that callers have to stand in; None where they come from anywhere."""
    internal = request.get("serving", {}).get("ingress") == "internal"
    return str(request["network"]["name"]) if internal else None


def machine(
    request: dict[str, Any], deployment: dict[str, Any], cloud: LocalCloud, project: Project
) -> dict[str, str]:
    """Return the environment that a training runs in: where, as whom, with which login."""
    environment = cloud.environment(PERSON, inside(request))
    environment["MLFLOW_TRACKING_URI"] = deployment["url"]
    account = preparation.training_account(request, project)
    if account is not None:
        environment |= {"MLFLOW_TRACKING_AUTH": "berth", "BERTH_IMPERSONATE": account}
    if request.get("access", {}).get("mode") == "basic_auth":
        environment |= {
            "MLFLOW_TRACKING_USERNAME": deployment["request"]["access"]["admin_username"],
            "MLFLOW_TRACKING_PASSWORD": project.secret(f"mlflow-{request['name']}-admin-password"),
        }
    return environment


if __name__ == "__main__":
    with ending.told():
        main()
