"""Bodies that the handlers accept, by method id: where drawn calls begin before they are broken."""

from __future__ import annotations

from typing import Any

IMAGE = "europe-west1-docker.pkg.dev/berth-local/alpha/alpha"
_POLICY: dict[str, Any] = {
    "policy": {
        "version": 3,
        "bindings": [
            {"role": "roles/viewer", "members": ["user:ana@example.com"]},
            {
                "role": "roles/viewer",
                "members": ["user:bo@example.com"],
                "condition": {"title": "t", "expression": "resource.name.startsWith('x')"},
            },
        ],
    }
}
_WORKFLOW = "main:\n  params: [args]\n  steps:\n  - a:\n      return: ${args}\n"
_FUNCTION: dict[str, Any] = {
    "buildConfig": {
        "runtime": "python311",
        "entryPoint": "main",
        "source": {"storageSource": {"bucket": "alpha", "object": "a.zip"}},
    },
    "serviceConfig": {"timeoutSeconds": 60},
}
_BUILD: dict[str, Any] = {
    "steps": [
        {"name": "gcr.io/cloud-builders/docker", "args": ["build", "-t", "x", "."], "id": "a"},
        {"name": "python:3.11-slim", "script": "echo $_X", "waitFor": ["a"]},
    ],
    "substitutions": {"_X": "y"},
    "options": {"substitutionOption": "ALLOW_LOOSE"},
    "timeout": "600s",
}
_SERVICE: dict[str, Any] = {
    "template": {
        "containers": [{"image": IMAGE, "env": [{"name": "A", "value": "b"}]}],
        "scaling": {"maxInstanceCount": 2},
    },
    "labels": {"a": "b"},
}
_JOB: dict[str, Any] = {"template": {"template": {"containers": [{"image": IMAGE}]}}}
_INSTANCE: dict[str, Any] = {
    "name": "alpha",
    "region": "europe-west1",
    "databaseVersion": "POSTGRES_18",
    "settings": {"tier": "db-f1-micro", "edition": "ENTERPRISE", "userLabels": {"a": "b"}},
    "rootPassword": "a-Secret-1",
}
_TOPIC = "projects/berth-local/topics/alpha"
_SUBSCRIPTION: dict[str, Any] = {
    "topic": _TOPIC,
    "ackDeadlineSeconds": 20,
    "filter": 'attributes.a = "b"',
    "retryPolicy": {"minimumBackoff": "1s"},
}

BODIES: dict[str, list[dict[str, Any]]] = {
    "artifactregistry.projects.locations.repositories.create": [{"format": "DOCKER"}],
    "cloudbuild.projects.builds.create": [_BUILD],
    "cloudbuild.projects.locations.builds.create": [_BUILD],
    "cloudfunctions.projects.locations.functions.create": [_FUNCTION],
    "cloudfunctions.projects.locations.functions.patch": [_FUNCTION],
    "cloudresourcemanager.projects.setIamPolicy": [_POLICY],
    "iam.projects.serviceAccounts.create": [
        {"accountId": "robot-one", "serviceAccount": {"displayName": "Robot"}}
    ],
    "iam.projects.serviceAccounts.setIamPolicy": [_POLICY],
    "iam.projects.serviceAccounts.signBlob": [{"bytesToSign": "aGk="}],
    "iam.projects.roles.create": [
        {"roleId": "alpha", "role": {"title": "A", "includedPermissions": ["run.services.get"]}}
    ],
    "iamcredentials.projects.serviceAccounts.generateAccessToken": [
        {"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "300s"}
    ],
    "iamcredentials.projects.serviceAccounts.generateIdToken": [{"audience": "x"}],
    "iamcredentials.projects.serviceAccounts.signJwt": [{"payload": '{"sub": "x"}'}],
    "iamcredentials.projects.serviceAccounts.signBlob": [{"payload": "aGk="}],
    "logging.entries.write": [
        {
            "logName": "projects/berth-local/logs/alpha",
            "resource": {"type": "global"},
            "entries": [{"textPayload": "hello", "severity": "INFO"}],
        }
    ],
    "logging.entries.list": [
        {"resourceNames": ["projects/berth-local"], "filter": "severity>=INFO"}
    ],
    "orgpolicy.projects.policies.create": [
        {
            "name": "projects/berth-local/policies/iam.disableServiceAccountKeyUpload",
            "spec": {"rules": [{"enforce": True}]},
        }
    ],
    "pubsub.projects.topics.create": [{"labels": {"a": "b"}}],
    "pubsub.projects.topics.publish": [
        {"messages": [{"data": "aGk=", "attributes": {"a": "b"}, "orderingKey": "k"}]}
    ],
    "pubsub.projects.subscriptions.create": [_SUBSCRIPTION],
    "pubsub.projects.subscriptions.pull": [{"maxMessages": 3, "returnImmediately": True}],
    "pubsub.projects.snapshots.create": [
        {"subscription": "projects/berth-local/subscriptions/alpha"}
    ],
    "run.projects.locations.services.create": [_SERVICE],
    "run.projects.locations.services.patch": [_SERVICE],
    "run.projects.locations.jobs.create": [_JOB],
    "run.projects.locations.jobs.patch": [_JOB],
    "secretmanager.projects.secrets.create": [{"replication": {"automatic": {}}}],
    "secretmanager.projects.secrets.addVersion": [{"payload": {"data": "aGk="}}],
    "serviceusage.services.batchEnable": [{"serviceIds": ["run.googleapis.com"]}],
    "sql.instances.insert": [_INSTANCE],
    "sql.instances.clone": [{"cloneContext": {"destinationInstanceName": "beta-one"}}],
    "sql.instances.patch": [{"settings": {"tier": "db-g1-small"}}],
    "sql.databases.insert": [{"name": "alpha"}],
    "sql.users.insert": [{"name": "alpha", "password": "a-Secret-1"}],
    "storage.buckets.insert": [{"name": "alpha"}, {"name": "beta-one", "location": "EU"}],
    "storage.objects.insert": [{"name": "alpha"}],
    "storage.objects.compose": [{"sourceObjects": [{"name": "alpha"}, {"name": "alpha"}]}],
    "workflowexecutions.projects.locations.workflows.executions.create": [
        {"argument": '{"a": 1}', "callLogLevel": "LOG_ALL_CALLS"}
    ],
    "workflows.projects.locations.workflows.create": [{"sourceContents": _WORKFLOW}],
    "workflows.projects.locations.workflows.patch": [{"sourceContents": _WORKFLOW}],
}
"""A few for each method that makes something."""
