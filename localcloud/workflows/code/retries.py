"""Running ``try``: the attempts, the waits between them, and the ``except`` block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.code.closures import Code
from localcloud.workflows.code.evaluator import Evaluator
from localcloud.workflows.code.flow import Block, RoutineCode, begin, finish, run_block
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running, Sleep
from localcloud.workflows.errors import WorkflowError, type_error, value_error
from localcloud.workflows.source.nodes import Retry
from localcloud.workflows.stdlib import CONSTANTS
from localcloud.workflows.stdlib.registry import Function
from localcloud.workflows.values import Callable as CallableValue
from localcloud.workflows.values import copy, expect_type, shown

Runner = tuple[str | None, Callable[[Frame], Any], bool]


@dataclass(frozen=True, slots=True)
class HandlerCode:
    """A compiled ``except`` block."""

    value: int | None
    local: tuple[int, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class RetryCode:
    """The compiled parts of ``retry``; ``policy`` is a whole one, or just the backoff."""

    policy: Code | None
    predicate: Code | None
    max_retries: Code | None
    delays: tuple[Code, ...]

    def evaluate(self, frame: Frame) -> Running:
        """Give the policy as it is now."""
        policy: dict[str, Any] = {}
        if self.policy is not None:
            value = yield from self.policy.run(frame)
            policy = dict(expect_type(value, dict, "retry policy"))
        if self.max_retries is not None:
            backoff = policy
            if self.delays:
                backoff = {}
                for key, code in zip(_DELAYS, self.delays, strict=True):
                    backoff[key] = yield from code.run(frame)
            # The predicate may be left out: it says which errors are retried, so all are.
            predicate = ALWAYS
            if self.predicate is not None:
                predicate = yield from self.predicate.run(frame)
            policy = {
                "predicate": predicate,
                "max_retries": (yield from self.max_retries.run(frame)),
                "backoff": backoff,
            }
        return Policy.of(policy)


ALWAYS: Final = CONSTANTS["retry.always"]
_DELAYS: Final = ("initial_delay", "max_delay", "multiplier")


@dataclass(frozen=True, slots=True)
class Policy:
    """A retry policy with its values checked."""

    predicate: CallableValue
    max_retries: int
    initial_delay: float
    max_delay: float
    multiplier: float

    @classmethod
    def of(cls, policy: dict[str, Any]) -> "Policy":
        """Check the values of a policy."""
        predicate = policy.get("predicate")
        if not isinstance(predicate, CallableValue):
            raise type_error(f"retry predicate must be a function; got: {shown(predicate)}")
        most = expect_type(policy.get("max_retries"), int, "max_retries")
        backoff = expect_type(policy.get("backoff"), dict, "backoff")
        initial, longest, multiplier = (
            expect_type(backoff.get(key), float, key) for key in _DELAYS
        )
        if most < 0 or initial < 0 or longest < 0 or multiplier <= 0:
            raise value_error("the values of a retry policy must not be negative")
        return cls(predicate, most, initial, longest, multiplier)

    def delay(self, attempt: int) -> float:
        """Give the wait before the given retry, the first being 1."""
        exponent = min(attempt - 1, 10_000)
        try:
            wanted = self.initial_delay * self.multiplier**exponent
        except OverflowError:
            wanted = self.max_delay
        return min(wanted, self.max_delay, limits.YEAR)


def compile_retry(retry: Retry, evaluator: Evaluator) -> RetryCode:
    """Compile what stands under ``retry``."""

    def optional(value: Any) -> Code | None:
        return None if value is None else evaluator.value(value, "retry")

    delays = (retry.initial_delay, retry.max_delay, retry.multiplier)
    return RetryCode(
        optional(retry.policy),
        optional(retry.predicate),
        optional(retry.max_retries),
        tuple(code for code in map(optional, delays) if code is not None),
    )


def call_predicate(frame: Frame, predicate: CallableValue, error: Any) -> Running:
    """Ask a predicate whether to retry."""
    target = predicate.target
    if isinstance(target, RoutineCode):
        if len(target.parameters) < 1 or len(target.required) > 1:
            raise type_error(f"retry predicate '{predicate.name}' must take one parameter")
        frame.run.count()
        answer = yield from target.invoke(frame, {target.parameters[0]: error})
    elif isinstance(target, Function):
        answer = target.implementation(error)
    else:
        raise type_error(f"'{predicate.name}' cannot be a retry predicate")
    return expect_type(answer, bool, "the result of a retry predicate")


def attempt(  # noqa: C901 - the whole of try, in the order in which it happens
    name: str, body: Block, retry: RetryCode | None, handler: HandlerCode | None
) -> Runner:
    """Run a try block: again while the policy says so, then the handler."""

    def try_once(frame: Frame) -> Running:
        frame.run.count()
        entry = begin(frame, name, "STEP_TRY")
        try:
            signal = yield from _inside(frame, entry.number, body)
        except WorkflowError as error:
            finish(frame, entry, error)
            raise
        finish(frame, entry)
        return signal

    def flow(frame: Frame) -> Running:
        retries = 0
        policy: Policy | None = None
        while True:
            try:
                return (yield from try_once(frame))
            except WorkflowError as error:
                if not error.catchable:
                    raise
                caught = error
            if retry is not None:
                if policy is None:
                    policy = yield from retry.evaluate(frame)
                if retries < policy.max_retries:
                    again = yield from call_predicate(frame, policy.predicate, copy(caught.value))
                    if again:
                        retries += 1
                        frame.run.count()
                        entry = begin(frame, name, "STEP_RETRY")
                        entry.progress = retries
                        yield Sleep(policy.delay(retries))
                        finish(frame, entry)
                        continue
            if handler is None:
                raise caught
            return (yield from _handle(frame, name, handler, caught))

    return "STEP_TRY_RETRY_EXCEPT", flow, True


def _inside(frame: Frame, entry: int, block: Block) -> Running:
    task = frame.task
    outer, task.entry = task.entry, entry
    try:
        return (yield from run_block(block, frame))
    finally:
        task.entry = outer


def _handle(frame: Frame, name: str, handler: HandlerCode, caught: WorkflowError) -> Running:
    frame.run.count()
    frame.clear(handler.local)
    if handler.value is not None:
        frame.store(handler.value, caught.value)
    entry = begin(frame, name, "STEP_EXCEPT")
    try:
        signal = yield from _inside(frame, entry.number, handler.body)
    except WorkflowError as error:
        finish(frame, entry, error)
        raise
    finally:
        frame.clear(handler.local)
    finish(frame, entry)
    return signal
