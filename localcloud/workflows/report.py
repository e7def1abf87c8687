"""How an uncaught error is shown: payload, context and stack trace."""

from typing import Any

from localcloud.workflows.errors import WorkflowError, summary
from localcloud.workflows.values import shown, to_json


def payload_text(value: Any) -> str:
    """Give the error value as JSON text."""
    try:
        return to_json(value)
    except WorkflowError:
        return to_json(shown(value))


def way(error: WorkflowError) -> list[str]:
    """Give a line for each place the error came through, the innermost first."""
    lines = []
    for element in error.trace:
        place = f", line: {element.position.line}" if element.position is not None else ""
        lines.append(f'in step "{element.step}", routine "{element.routine}"{place}')
    return lines


def context_text(error: WorkflowError) -> str:
    """Give the text for people: the message, the places, and the map of what another service answered."""
    lines = [summary(error.value), *way(error)]
    tags = error.value.get("tags") if isinstance(error.value, dict) else None
    if isinstance(tags, list) and ("HttpError" in tags or "OperationError" in tags):
        try:
            lines.append(to_json(error.value, indent="  "))
        except WorkflowError:
            lines.append(shown(error.value))
    return "\n".join(lines)


def stack_trace(error: WorkflowError) -> dict[str, Any]:
    """Give the stack trace as the API shows it; numbers are strings there."""
    elements = []
    for element in error.trace:
        shown_element: dict[str, Any] = {"step": element.step, "routine": element.routine}
        if element.position is not None:
            shown_element["position"] = {
                "line": str(element.position.line),
                "column": str(element.position.column),
                "length": str(element.position.length),
            }
        elements.append(shown_element)
    return {"elements": elements}
