"""From YAML to syntax tree, refusing every shape the language does not have."""

from typing import Final

from localcloud.workflows import limits
from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.nodes import Constant, Parameter, Routine, Source
from localcloud.workflows.source.statements import load_steps
from localcloud.workflows.source.step_parts import NAME
from localcloud.workflows.source.value_source import load_value
from localcloud.workflows.source.yaml_source import Mapping, Node, Scalar, Sequence, read

_ROUTINE_KEYS: Final = ("params", "steps")


def load(text: str) -> Source:
    """Parse a source into its routines; raise DeployError for what is not the language."""
    root = read(text)
    if isinstance(root, Sequence):
        return Source({"main": Routine("main", (), load_steps(root), root.position)})
    if not isinstance(root, Mapping):
        message = "a workflow is a list of steps or a map of routines"
        raise DeployError(message, position=root.position)
    routines: dict[str, Routine] = {}
    for key, node in root.entries:
        name = key.value
        if type(name) is not str or not NAME.fullmatch(name):
            message = f"'{name}' is not a name for a subworkflow"
            raise DeployError(message, position=key.position)
        routines[name] = _routine(name, node)
    if "main" not in routines:
        message = "'main' workflow is not defined"
        raise DeployError(message, position=root.position)
    return Source(routines)


def _routine(name: str, node: Node) -> Routine:
    if not isinstance(node, Mapping):
        message = f"workflow '{name}' must be a map with 'steps'"
        raise DeployError(message, position=node.position)
    parts = {key.value: value for key, value in node.entries}
    for key, _ in node.entries:
        if key.value not in _ROUTINE_KEYS:
            message = f"unexpected key '{key.value}' in workflow '{name}'"
            raise DeployError(message, position=key.position)
    if "steps" not in parts:
        message = f"workflow '{name}' has no 'steps'"
        raise DeployError(message, position=node.position)
    parameters = _parameters(name, parts["params"]) if "params" in parts else ()
    return Routine(name, parameters, load_steps(parts["steps"]), node.position)


def _parameters(routine: str, node: Node) -> tuple[Parameter, ...]:
    if not isinstance(node, Sequence):
        message = f"params of workflow '{routine}' must be a list"
        raise DeployError(message, position=node.position)
    most = limits.MAIN_PARAMETERS if routine == "main" else limits.PARAMETERS
    if len(node.items) > most:
        message = f"workflow '{routine}' has {len(node.items)} parameters, at most {most} allowed"
        raise DeployError(message, position=node.position)
    parameters = [_parameter(item) for item in node.items]
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            message = f"duplicate parameter '{name}' in workflow '{routine}'"
            raise DeployError(message, position=node.position)
    return tuple(parameters)


def _parameter(node: Node) -> Parameter:
    name: object = None
    default = None
    if isinstance(node, Scalar):
        name = node.value
    elif isinstance(node, Mapping) and len(node.entries) == 1:
        name = node.entries[0][0].value
        default = load_value(node.entries[0][1])
        if not isinstance(default, Constant):
            message = f"the default of parameter '{name}' must be a constant"
            raise DeployError(message, position=node.position)
    if type(name) is not str or not NAME.fullmatch(name):
        message = "a parameter is a name, or a name with a default value"
        raise DeployError(message, position=node.position)
    return Parameter(name, default)
