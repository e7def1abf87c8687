"""List the executions of a workflow through Google's client, over gRPC: PROJECT REGION WORKFLOW."""

import json
import sys

from google.cloud.workflows.executions_v1 import (
    ExecutionsClient,
    ExecutionView,
    ListExecutionsRequest,
)

project, region, workflow = sys.argv[1:]
client = ExecutionsClient()
request = ListExecutionsRequest(
    parent=client.workflow_path(project, region, workflow), view=ExecutionView.FULL
)
print(json.dumps([[one.state.name, one.argument] for one in client.list_executions(request)]))
