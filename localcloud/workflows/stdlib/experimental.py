"""``experimental.executions``: the older way to run another workflow."""

from typing import Any

from localcloud.workflows import limits
from localcloud.workflows.api_calls.execution_calls import run_workflow
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Fork, Running
from localcloud.workflows.stdlib.registry import blocking
from localcloud.workflows.values import expect_type


@blocking("experimental.executions.run", "workflow_id", "project_id?", "location?", "argument?")
def run(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Run a workflow and give its result."""
    return (yield from run_workflow(frame, arguments))


@blocking("experimental.executions.map", "workflow_id", "arguments", "project_id?", "location?")
def map_(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Run a workflow once for each argument, side by side, and list the results."""
    items: list[Any] = expect_type(arguments["arguments"], list, "arguments")
    common = {key: value for key, value in arguments.items() if key != "arguments"}
    results: list[Any] = [None] * len(items)

    def one(number: int, item: Any) -> Running:
        results[number] = yield from run_workflow(frame, {**common, "argument": item})

    if items:
        tasks = []
        for number, item in enumerate(items):
            task = frame.run.new_task(parent=frame.task, label=str(number))
            task.body = one(number, item)
            tasks.append(task)
        errors = yield Fork(tuple(tasks), limits.CONCURRENT_BRANCHES)
        for error in errors:
            if error is not None:
                raise error
    return results
