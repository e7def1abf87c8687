"""The whole of Berth in one run, on the local cloud: ask, wait, log in, train, register, predict.

`make demo` calls it, with the local cloud's variables in the environment. What is local here is
only where tokens and the browser's link come from; everything else is what a team does on Google
Cloud.
"""

import argparse
import json
import os
import shlex
import time

from examples import ending, walk
from examples.api import Api, seconds_since
from examples.local_cloud import LocalCloud
from examples.project import Project

CALLER = "ana@example.com"
REQUEST = {"name": "demo", "team": "risk", "access": {"mode": "basic_auth"}}


def main() -> None:
    """Show everything once; leave the deployment for the reader to look at."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", default=".localcloud")
    parser.add_argument("--project", default="berth-local")
    parser.add_argument("--region", default="europe-west1")
    arguments = parser.parse_args()
    cloud = LocalCloud(arguments.state)
    number = cloud.say("status", "--format", "project-number")
    api = Api(f"https://berth-api-{number}.{arguments.region}.run.app", cloud.say("token", CALLER))
    api.remove("demo", "(left from the last time)")

    started = time.monotonic()
    print(f"\nPOST /v1/deployments {json.dumps(REQUEST)}", flush=True)
    deployment = api.make(REQUEST)
    password = Project(arguments.project).secret("mlflow-demo-admin-password")
    login = {
        "MLFLOW_TRACKING_URI": deployment["url"],
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": password,
    }
    print(f"READY in {seconds_since(started)}")
    print(f"  browser:  {cloud.say('link', deployment['url'])}")
    print(f"            user admin, password {password}")
    print(f"  programs: {cloud.login(CALLER)} # first, in each shell")
    for name, value in login.items():
        print(f"            export {name}={shlex.quote(value)}")
    print(flush=True)
    walk.train({**os.environ, **login})


if __name__ == "__main__":
    with ending.told():
        main()
