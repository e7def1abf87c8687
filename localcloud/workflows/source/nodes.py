"""The syntax tree: expressions, values with expressions in them, statements, routines."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from localcloud.workflows.errors import Position

# -- expressions ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a subworkflow or the first part of a library name."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """``subject.key``."""

    subject: "Expression"
    key: str


@dataclass(frozen=True, slots=True)
class Index:
    """``subject[key]``."""

    subject: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    function: "Expression"
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """``-operand`` or ``not operand``."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``, with ``and`` and ``or`` among the operators."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Listing:
    """``[a, b]`` in an expression."""

    items: tuple["Expression", ...]


Expression: TypeAlias = Literal | Name | Attribute | Index | Call | Unary | Binary | Listing

# -- values as the YAML writes them --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A value with no expression anywhere in it."""

    value: Any
    position: Position


@dataclass(frozen=True, slots=True)
class Computed:
    """A scalar that is one expression."""

    expression: Expression
    text: str
    position: Position
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ListValue:
    """A list with an expression somewhere in it."""

    items: tuple["Value", ...]
    position: Position


@dataclass(frozen=True, slots=True)
class MapValue:
    """A map with an expression somewhere in its keys or values."""

    entries: tuple[tuple["Value", "Value"], ...]
    position: Position


Value: TypeAlias = Constant | Computed | ListValue | MapValue

# -- statements ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assignment:
    """``target: value``; the target is a name, or a path of keys into one."""

    target: Expression
    text: str
    value: Value
    position: Position


@dataclass(frozen=True, slots=True)
class Assign:
    """The ``assign`` step."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class CallStep:
    """The ``call`` step, with named arguments, or with a list of them that have no names."""

    function: str
    arguments: tuple[tuple[str | None, Value], ...]
    result: str | None
    position: Position
    """Where the function is named: what is wrong with it is said there before anything runs."""
    word: Position
    """Where the word ``call`` stands: stack traces of the service give that."""


@dataclass(frozen=True, slots=True)
class Target:
    """What ``next`` names."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Case:
    """One entry of a ``switch``: its condition, what it does, where it goes next."""

    condition: Value
    body: "Step | None"
    next: Target | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The ``switch`` step."""

    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class For:
    """A loop: over ``source`` if it is a list, or a range of two ends if ``is_range``."""

    value: str
    index: str | None
    source: Value
    is_range: bool
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One named branch of a ``parallel`` step."""

    name: str
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """The ``parallel`` step: branches, or iterations of a loop."""

    branches: tuple[Branch, ...]
    loop: For | None
    shared: tuple[str, ...]
    concurrency: Value | None


@dataclass(frozen=True, slots=True)
class Retry:
    """What ``retry`` says: a whole policy, or its parts."""

    policy: Value | None
    predicate: Value | None = None
    max_retries: Value | None = None
    initial_delay: Value | None = None
    max_delay: Value | None = None
    multiplier: Value | None = None


@dataclass(frozen=True, slots=True)
class Handler:
    """The ``except`` block."""

    name: str | None
    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Try:
    """The ``try`` step."""

    steps: tuple["Step", ...]
    retry: Retry | None
    handler: Handler | None


@dataclass(frozen=True, slots=True)
class Raise:
    """The ``raise`` step."""

    value: Value


@dataclass(frozen=True, slots=True)
class Return:
    """The ``return`` step."""

    value: Value


@dataclass(frozen=True, slots=True)
class Steps:
    """Nested ``steps``, for grouping."""

    steps: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """A step that is only a jump."""


Statement: TypeAlias = (
    Assign | CallStep | Switch | For | Parallel | Try | Raise | Return | Steps | Nothing
)


@dataclass(frozen=True, slots=True)
class Step:
    """A named statement and where to go after it."""

    name: str
    statement: Statement
    next: Target | None
    position: Position


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a routine; without a default it must be given."""

    name: str
    default: Value | None = None


@dataclass(frozen=True, slots=True)
class Routine:
    """The main workflow or a subworkflow."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed workflow: its routines by name, ``main`` among them."""

    routines: dict[str, Routine] = field(default_factory=dict)
