"""Reading steps: which keys a step may hold, and what stands behind each."""

from collections.abc import Callable
from typing import Final

from localcloud.workflows import limits
from localcloud.workflows.errors import DeployError, Position
from localcloud.workflows.source.expressions import ExpressionError, is_expression, parse
from localcloud.workflows.source.nodes import (
    Assign,
    Assignment,
    Branch,
    CallStep,
    Case,
    Computed,
    Constant,
    Expression,
    For,
    Handler,
    ListValue,
    Name,
    Nothing,
    Parallel,
    Raise,
    Retry,
    Return,
    Statement,
    Step,
    Steps,
    Switch,
    Try,
    Value,
)
from localcloud.workflows.source.step_parts import (
    WORDS,
    Parts,
    mapping,
    next_step,
    refuse,
    variable,
)
from localcloud.workflows.source.value_source import load_value
from localcloud.workflows.source.yaml_source import Mapping, Node, Scalar, Sequence

ENDS: Final = 2  # of a range
RESERVED: Final = frozenset({"end", "break", "continue"})


def load_steps(node: Node) -> tuple[Step, ...]:
    """Read a list of steps; their names are different from each other."""
    if not isinstance(node, Sequence) or not node.items:
        refuse("'steps' must be a list with at least one step", node)
    steps = [_named_step(item) for item in node.items]
    seen: set[str] = set()
    for step in steps:
        if step.name in seen:
            reason = f"duplicate step name '{step.name}'"
            raise DeployError(reason, step=step.name, position=step.position)
        seen.add(step.name)
    return tuple(steps)


def _named_step(node: Node) -> Step:
    if not isinstance(node, Mapping) or len(node.entries) != 1:
        refuse("a step must be a map with exactly one key, its name", node)
    key, body = node.entries[0]
    name = str(key.value)
    if name in RESERVED or is_expression(name) or not name:
        refuse(f"'{name}' cannot be the name of a step", key)
    return load_step(name, body, key.position)


def load_step(name: str, body: Node, position: Position) -> Step:
    """Read what a step does; every error in it carries the name of the step."""
    try:
        if not isinstance(body, Mapping):
            refuse("a step must be a map", body)
        return _step(name, {key.value: item for key, item in body.entries}, body, position)
    except DeployError as error:
        error.step = error.step if error.step is not None else name
        error.position = error.position or position
        raise


def _step(name: str, parts: Parts, body: Mapping, position: Position) -> Step:
    mains = [key for key in parts if key in _READERS]
    if len(mains) > 1:
        refuse(f"a step cannot have both '{mains[0]}' and '{mains[1]}'", body)
    if not mains and "next" not in parts:
        found = ", ".join(f"'{key}'" for key in parts) or "nothing"
        refuse(f"unknown step type: found {found}", body)
    main = mains[0] if mains else "next"
    allowed = _COMPANIONS.get(main, ("next",))
    for key, _ in body.entries:
        if key.value != main and key.value not in allowed:
            refuse(f"unexpected key '{key.value}' in a step with '{main}'", key)
    word = next((key.position for key, _ in body.entries if key.value == main), position)
    statement = _READERS[main](parts, word, name) if mains else Nothing()
    return Step(name, statement, next_step(parts), position)


# -- the readers, one for each kind of step ------------------------------------------------


def target(text: object, node: Node) -> Expression:
    """Read what may stand left of the colon in ``assign``, or after ``result``."""
    if type(text) is not str or is_expression(text):
        refuse(f"'{text}' cannot be assigned to", node)
    try:
        expression = parse(text, "target")
    except ExpressionError as error:
        error.position = Position(node.position.line, node.position.column + (error.offset or 0))
        error.reason = f"invalid assignment target '{text}': {error.reason}"
        raise
    if isinstance(expression, Name) and expression.name.lower() in WORDS:
        refuse(f"'{text}' cannot be assigned to", node)
    return expression


def _assign(parts: Parts, _position: Position, _name: str) -> Statement:
    node = parts["assign"]
    if not isinstance(node, Sequence) or not node.items:
        refuse("'assign' must be a list of assignments", node)
    if len(node.items) > limits.ASSIGNMENTS:
        refuse(
            f"{len(node.items)} assignments in a step, at most {limits.ASSIGNMENTS} allowed", node
        )
    assignments = []
    for item in node.items:
        if not isinstance(item, Mapping) or len(item.entries) != 1:
            refuse("an assignment must be a map with exactly one key", item)
        key, value = item.entries[0]
        assignments.append(
            Assignment(target(key.value, key), key.value, load_value(value), key.position)
        )
    return Assign(tuple(assignments))


def _call(parts: Parts, word: Position, _name: str) -> Statement:
    node = parts["call"]
    if not isinstance(node, Scalar) or type(node.value) is not str or is_expression(node.value):
        refuse("'call' must be the name of a function or a subworkflow", node)
    arguments = _arguments(parts["args"]) if "args" in parts else ()
    result = variable(parts["result"], "result") if "result" in parts else None
    return CallStep(node.value, arguments, result, node.position, word)


def _arguments(node: Node) -> tuple[tuple[str | None, Value], ...]:
    if isinstance(node, Scalar) and node.value is None:
        return ()
    if isinstance(node, Sequence):
        return tuple((None, load_value(item)) for item in node.items)
    if not isinstance(node, Mapping):
        refuse("'args' must be a map, or a list", node)
    for key, _ in node.entries:
        if type(key.value) is not str or is_expression(key.value):
            refuse("the name of an argument must be a plain string", key)
    return tuple((key.value, load_value(item)) for key, item in node.entries)


def _switch(parts: Parts, _position: Position, name: str) -> Statement:
    node = parts["switch"]
    if not isinstance(node, Sequence) or not node.items:
        refuse("'switch' must be a list of conditions", node)
    if len(node.items) > limits.CONDITIONS:
        refuse(
            f"{len(node.items)} conditions in a switch, at most {limits.CONDITIONS} allowed", node
        )
    return Switch(tuple(_case(item, name) for item in node.items))


def _case(node: Node, name: str) -> Case:
    if not isinstance(node, Mapping):
        refuse("an entry of 'switch' must be a map", node)
    parts: Parts = {key.value: item for key, item in node.entries}
    if "condition" not in parts:
        refuse("an entry of 'switch' needs a 'condition'", node)
    condition = load_value(parts["condition"])
    if not isinstance(condition, Computed) and not (
        isinstance(condition, Constant) and type(condition.value) is bool
    ):
        refuse("'condition' must be an expression or true or false", parts["condition"])
    rest = Mapping(
        tuple((key, item) for key, item in node.entries if key.value not in ("condition", "next")),
        node.position,
    )
    body = load_step(name, rest, node.position) if rest.entries else None
    if body is not None and isinstance(body.statement, Raise) and "next" in parts:
        refuse("a condition with 'raise' cannot have 'next'", parts["next"])
    return Case(condition, body, next_step(parts))


def _for(parts: Parts, _position: Position, _name: str) -> Statement:
    return _loop(parts["for"])


def _loop(node: Node) -> For:
    parts = mapping(node, "'for'", ("value", "index", "in", "range", "steps"))
    for key in ("value", "steps"):
        if key not in parts:
            refuse(f"'for' needs '{key}'", node)
    if ("in" in parts) == ("range" in parts):
        refuse("'for' needs either 'in' or 'range'", node)
    value = variable(parts["value"], "loop variable")
    index = variable(parts["index"], "loop index") if "index" in parts else None
    if index == value:
        refuse("'value' and 'index' of a loop must be different", node)
    is_range = "range" in parts
    source = load_value(parts["range" if is_range else "in"])
    if is_range:
        _check_range(source, parts["range"])
    elif isinstance(source, Constant) and type(source.value) is not list:
        refuse("'in' must be a list or an expression", parts["in"])
    return For(value, index, source, is_range, load_steps(parts["steps"]))


def _check_range(source: Value, node: Node) -> None:
    if isinstance(source, ListValue) and len(source.items) == ENDS:
        return
    if isinstance(source, Computed):
        return
    if (
        not isinstance(source, Constant)
        or type(source.value) is not list
        or len(source.value) != ENDS
    ):
        refuse("'range' must be a list of two numbers or an expression", node)
    begin, end = source.value
    if not {type(begin), type(end)} <= {int, float}:
        refuse("the ends of a range must be numbers", node)
    if begin > end:
        refuse(f"range [{begin}, {end}] ends before it begins", node)


def _parallel(parts: Parts, position: Position, _name: str) -> Statement:
    node = parts["parallel"]
    keys = ("exception_policy", "shared", "concurrency_limit", "branches", "for")
    found = mapping(node, "'parallel'", keys)
    if ("branches" in found) == ("for" in found):
        refuse("'parallel' needs either 'branches' or 'for'", node)
    policy = found.get("exception_policy")
    if policy is not None and not (isinstance(policy, Scalar) and policy.value == "continueAll"):
        refuse("exception_policy must be continueAll", policy)
    limit = load_value(found["concurrency_limit"]) if "concurrency_limit" in found else None
    if limit is not None and not isinstance(limit, Computed):
        value = limit.value if isinstance(limit, Constant) else None
        if type(value) is not int or value < 1:
            refuse("concurrency_limit must be a positive integer", limit.position)
    shared = _shared(found["shared"]) if "shared" in found else ()
    if "for" in found:
        return Parallel((), _loop(found["for"]), shared, limit)
    return Parallel(_branches(found["branches"], position), None, shared, limit)


def _shared(node: Node) -> tuple[str, ...]:
    if not isinstance(node, Sequence):
        refuse("'shared' must be a list of variable names", node)
    names = tuple(variable(item, "shared") for item in node.items)
    if len(set(names)) != len(names):
        refuse("'shared' names a variable twice", node)
    return names


def _branches(node: Node, _position: Position) -> tuple[Branch, ...]:
    if not isinstance(node, Sequence):
        refuse("'branches' must be a list of branches", node)
    if not limits.BRANCHES_LEAST <= len(node.items) <= limits.BRANCHES_MOST:
        refuse(f"{len(node.items)} branches in a parallel step, 2 to 10 allowed", node)
    branches = []
    for item in node.items:
        step = _named_step(item)
        if step.next is not None:
            refuse("a branch cannot have 'next'", item)
        inner = step.statement.steps if isinstance(step.statement, Steps) else (step,)
        branches.append(Branch(step.name, inner))
    names = [branch.name for branch in branches]
    if len(set(names)) != len(names):
        refuse("two branches have the same name", node)
    return tuple(branches)


def _try(parts: Parts, _position: Position, name: str) -> Statement:
    if "retry" not in parts and "except" not in parts:
        refuse("'try' needs 'retry' or 'except'", parts["try"])
    body = parts["try"]
    if isinstance(body, Sequence):
        steps = load_steps(body)
    else:
        only = load_step(name, body, body.position)
        if isinstance(only.statement, For):
            # docs/issues: the service refuses it; the loop must stand in a step under 'steps'.
            refuse("loop step name should not be empty", body)
        bare = isinstance(only.statement, Steps) and only.next is None
        steps = only.statement.steps if bare and isinstance(only.statement, Steps) else (only,)
    retry = _retry(parts["retry"]) if "retry" in parts else None
    handler = None
    if "except" in parts:
        handler = _handler(parts["except"], name)
    return Try(steps, retry, handler)


def _handler(node: Node, name: str) -> Handler:
    """Read ``except``: its steps, the content of a single step, or nothing at all.

    docs/reference/syntax/catching-errors: the steps block is optional.
    """
    if not isinstance(node, Mapping):
        refuse("'except' must be a map", node)
    parts: Parts = {key.value: item for key, item in node.entries}
    error_name = variable(parts["as"], "except variable") if "as" in parts else None
    rest = tuple((key, item) for key, item in node.entries if key.value != "as")
    if "steps" in parts:
        mapping(node, "'except'", ("as", "steps"))
        return Handler(error_name, load_steps(parts["steps"]))
    if not rest:
        return Handler(error_name, ())
    return Handler(error_name, (load_step(name, Mapping(rest, node.position), node.position),))


def _retry(node: Node) -> Retry:
    if isinstance(node, Scalar):
        policy = load_value(node)
        if not isinstance(policy, Computed):
            refuse("'retry' must be an expression or a map", node)
        return Retry(policy)
    found = mapping(node, "'retry'", ("predicate", "max_retries", "backoff"))
    for key in ("max_retries", "backoff"):
        if key not in found:
            refuse(f"'retry' needs '{key}'", node)
    predicate = load_value(found["predicate"]) if "predicate" in found else None
    if predicate is not None and not isinstance(predicate, Computed):
        refuse("'predicate' must be an expression", found["predicate"])
    if isinstance(found["backoff"], Scalar):
        backoff = load_value(found["backoff"])
        return Retry(backoff, predicate, load_value(found["max_retries"]))
    delays = mapping(found["backoff"], "'backoff'", ("initial_delay", "max_delay", "multiplier"))
    for key in ("initial_delay", "max_delay", "multiplier"):
        if key not in delays:
            refuse(f"'backoff' needs '{key}'", found["backoff"])
    return Retry(
        None,
        predicate,
        load_value(found["max_retries"]),
        load_value(delays["initial_delay"]),
        load_value(delays["max_delay"]),
        load_value(delays["multiplier"]),
    )


def _raise(parts: Parts, _position: Position, _name: str) -> Statement:
    value = load_value(parts["raise"])
    # false can be deployed: the sample of a vector search (workflows-demos) raises it.
    if isinstance(value, Constant) and type(value.value) not in (str, dict, bool):
        refuse("'raise' takes a string or a map", parts["raise"])
    if isinstance(value, ListValue):
        refuse("'raise' takes a string or a map", parts["raise"])
    return Raise(value)


def _return(parts: Parts, _position: Position, _name: str) -> Statement:
    return Return(load_value(parts["return"]))


def _steps(parts: Parts, _position: Position, _name: str) -> Statement:
    return Steps(load_steps(parts["steps"]))


_READERS: Final[dict[object, Callable[[Parts, Position, str], Statement]]] = {
    "assign": _assign,
    "call": _call,
    "switch": _switch,
    "for": _for,
    "parallel": _parallel,
    "try": _try,
    "raise": _raise,
    "return": _return,
    "steps": _steps,
}
_COMPANIONS: Final[dict[object, tuple[str, ...]]] = {
    "call": ("args", "result", "next"),
    "try": ("retry", "except", "next"),
    "raise": (),
    # It leads nowhere, but Google's sample of BigQuery loads (workflows-demos) has it.
    "return": ("next",),
    "next": (),
}
