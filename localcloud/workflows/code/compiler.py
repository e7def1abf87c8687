"""From syntax tree to something that runs, with every check that deployment makes."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from localcloud.workflows.code import blocks, calls, parallel, retries
from localcloud.workflows.code.closures import Code, run_all
from localcloud.workflows.code.evaluator import Evaluator, Program, unknown_symbol
from localcloud.workflows.code.flow import (
    BREAK,
    CONTINUE,
    END,
    Block,
    Jump,
    Returned,
    RoutineCode,
    Signal,
    StepCode,
)
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.code.scope import Layout, Scope
from localcloud.workflows.code.store import Store
from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.loader import load
from localcloud.workflows.source.nodes import (
    Assign,
    Assignment,
    Attribute,
    CallStep,
    Constant,
    Expression,
    For,
    Index,
    Name,
    Nothing,
    Parallel,
    Raise,
    Return,
    Routine,
    Source,
    Step,
    Steps,
    Switch,
    Target,
    Try,
)
from localcloud.workflows.source.value_source import place_of_symbol

Runner = tuple[str | None, Callable[[Frame], Any], bool]


@dataclass(frozen=True)
class Place:
    """Where a block stands: the blocks around it, and what may leave it."""

    scope: Scope
    around: tuple[tuple[Block, dict[str, int]], ...] = ()
    in_loop: bool = False
    in_branch: bool = False


def compile_source(text: str) -> Program:
    """Compile a workflow source; raise DeployError if it cannot be deployed."""
    try:
        return _compile(load(text))
    except RecursionError as error:
        message = "source is nested too deeply"
        raise DeployError(message) from error


def _compile(source: Source) -> Program:
    program = Program()
    for name, routine in source.routines.items():
        program.routines[name] = _announce(routine)
    for name, routine in source.routines.items():
        _Compiler(program).routine(routine, program.routines[name])
    return program


@lru_cache(maxsize=64)
def compiled(text: str) -> Program:
    """Compile a source once; a program keeps nothing of its executions, so all can share it."""
    return compile_source(text)


def _announce(routine: Routine) -> RoutineCode:
    return RoutineCode(
        routine.name,
        tuple(parameter.name for parameter in routine.parameters),
        frozenset(p.name for p in routine.parameters if p.default is None),
        {p.name: p.default.value for p in routine.parameters if isinstance(p.default, Constant)},
        Layout(),
    )


class _Compiler:
    """Compiles the steps of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def routine(self, routine: Routine, code: RoutineCode) -> None:
        scope = Scope(code.layout)
        for parameter in routine.parameters:
            scope.declare(parameter.name)
        scope.take(routine.steps)
        code.block = self.block(routine.steps, Place(scope))

    def block(self, steps: tuple[Step, ...], place: Place) -> Block:
        """Compile a list of steps."""
        block = Block()
        names = {step.name: index for index, step in enumerate(steps)}
        inside = replace(place, around=((block, names), *place.around))
        for step in steps:
            block.steps.append(self.step(step, inside))
        return block

    def single(self, step: Step, place: Place) -> Block:
        """Compile a step without a place of its own in a list, as in a switch or a try."""
        block = Block()
        block.steps.append(self.step(step, replace(place, around=((block, {}), *place.around))))
        return block

    def step(self, step: Step, place: Place) -> StepCode:
        try:
            kind, run, waits = _COMPILERS[type(step.statement)](self, step, step.statement, place)
            following = None if step.next is None else self.target(step.next, place)
        except DeployError as error:
            error.step = error.step if error.step is not None else step.name
            error.position = error.position or step.position
            raise
        return StepCode(step.name, kind, step.position, run, waits, following)

    def target(self, target: Target, place: Place) -> Signal:
        """Find where ``next`` leads."""
        try:
            return self.signal(target.name, place)
        except DeployError as error:
            error.position = target.position
            raise

    def signal(self, name: str, place: Place) -> Signal:
        """Find what the name of a step, ``end``, ``break`` or ``continue`` stands for."""
        if name in ("break", "continue"):
            if not place.in_loop:
                outside = "a parallel loop" if place.in_branch else "a for loop"
                message = f"'next: {name}' cannot be used here: not inside {outside}"
                if place.in_branch:
                    message = (
                        f"'next: {name}' cannot leave a branch or iteration of a parallel step"
                    )
                raise DeployError(message)
            return BREAK if name == "break" else CONTINUE
        if name == "end":
            if place.in_branch:
                raise DeployError("'next: end' cannot leave a branch of a parallel step")
            return END
        for block, names in place.around:
            if name in names:
                return Jump(block, names[name])
        raise DeployError(
            f"next step '{name}' is not defined in this or an enclosing list of steps"
        )

    def evaluator(self, place: Place) -> Evaluator:
        return Evaluator(self.program, place.scope)

    # -- one method for each kind of statement -----------------------------------------------

    def assign(self, _step: Step, statement: Assign, place: Place) -> Runner:
        parts = []
        for assignment in statement.assignments:
            value = self.evaluator(place).value(
                assignment.value, f"assignment of '{assignment.text}'"
            )
            try:
                parts.append((assignment, value, self.store(assignment, place)))
            except DeployError as error:
                text = assignment.text
                error.position = place_of_symbol(error.symbol, text, text, assignment.position)
                raise
        if all(value.plain is not None for _, value, store in parts) and not any(
            store.waits for _, _, store in parts
        ):
            plain = [
                (assignment.value.position, value.plain, assignment.position, store.plain)
                for assignment, value, store in parts
                if value.plain is not None
            ]

            def run(frame: Frame) -> None:
                for position, evaluate, target, store in plain:
                    frame.at = position
                    value = evaluate(frame)
                    frame.at = target
                    store(frame, value)

            return "STEP_ASSIGN", run, False

        def flow(frame: Frame) -> Generator[Any, Any, None]:
            for assignment, value, store in parts:
                frame.at = assignment.value.position
                result = yield from value.run(frame)
                frame.at = assignment.position
                store.apply(frame, (yield from run_all(store.keys, frame)), result)

        return "STEP_ASSIGN", flow, True

    def store(self, assignment: Assignment, place: Place) -> Store:
        path: list[Code] = []
        node: Expression = assignment.target
        while not isinstance(node, Name):
            if isinstance(node, Attribute):
                key = node.key
                path.append(Code(lambda _frame, key=key: key))  # type: ignore[misc]  # key is bound
                node = node.subject
            elif isinstance(node, Index):
                path.append(self.evaluator(place).expression(node.key))
                node = node.subject
            else:
                message = f"'{assignment.text}' cannot be assigned to"
                raise DeployError(message)
        found = place.scope.find_writable(node.name)
        if found is None:
            raise unknown_symbol(node.name)
        return Store(found[0], found[1], path[::-1])

    def call(self, _step: Step, statement: CallStep, place: Place) -> Runner:
        evaluator = self.evaluator(place)
        called = calls.callee(self.program, statement)
        names = called.names([name for name, _ in statement.arguments])
        arguments = [
            (name, evaluator.value(value, f"argument '{name}'"), value.position)
            for name, (_, value) in zip(names, statement.arguments, strict=True)
        ]
        result = None
        if statement.result is not None:
            found = place.scope.find_writable(statement.result)
            assert found is not None
            result = Store(*found, [])
        return calls.compile_call(statement, called, arguments, result)

    def switch(self, step: Step, statement: Switch, place: Place) -> Runner:
        cases = []
        for case in statement.cases:
            condition = self.evaluator(place).value(case.condition, "condition")
            body = None
            if case.body is not None:
                body = self.single(case.body, place)
            following = None if case.next is None else self.target(case.next, place)
            cases.append(blocks.CaseCode(condition, case.condition.position, body, following))
        return blocks.switch(step.name, cases)

    def loop_scope(self, statement: For, place: Place, layout: Layout, **extra: Any) -> Scope:
        for name in (statement.value, statement.index):
            if name is not None and place.scope.is_loop_variable(name):
                message = f"loop variable '{name}' is already that of a loop around this one"
                raise DeployError(message)
        scope = Scope(layout, place.scope, **extra)
        for name in (statement.value, statement.index):
            if name is not None:
                scope.declare(name)
                scope.loop_variables.add(name)
        scope.take(statement.steps)
        return scope

    def for_(self, step: Step, statement: For, place: Place) -> Runner:
        source = self.evaluator(place).value(statement.source, "for loop")
        scope = self.loop_scope(statement, place, place.scope.layout)
        body = self.block(statement.steps, replace(place, scope=scope, in_loop=True))
        return blocks.loop(
            step.name,
            blocks.LoopCode(
                source,
                statement.source.position,
                statement.is_range,
                scope.places[statement.value],
                None if statement.index is None else scope.places[statement.index],
                scope.local_places(),
                body,
            ),
        )

    def parallel(self, step: Step, statement: Parallel, place: Place) -> Runner:
        evaluator = self.evaluator(place)
        for name in statement.shared:
            if place.scope.find(name) is None:
                message = f"shared variable '{name}' is not defined outside the parallel step"
                raise DeployError(message)
        shared = frozenset(statement.shared)
        limit = None
        if statement.concurrency is not None:
            limit = evaluator.value(statement.concurrency, "concurrency_limit")
        inside = replace(place, around=(), in_loop=False, in_branch=True)
        if statement.loop is not None:
            loop = statement.loop
            source = evaluator.value(loop.source, "parallel loop")
            scope = self.loop_scope(loop, place, Layout(), branch=True, shared=shared)
            body = self.block(loop.steps, replace(inside, scope=scope))
            index = None if loop.index is None else scope.places[loop.index]
            code = blocks.LoopCode(
                source,
                loop.source.position,
                loop.is_range,
                scope.places[loop.value],
                index,
                (),
                body,
            )
            return parallel.parallel_loop(step.name, code, scope.layout, limit)
        branches = []
        for branch in statement.branches:
            scope = Scope(Layout(), place.scope, branch=True, shared=shared)
            scope.take(branch.steps)
            body = self.block(branch.steps, replace(inside, scope=scope))
            branches.append(parallel.BranchCode(branch.name, scope.layout, body))
        return parallel.parallel_branches(branches, limit)

    def try_(self, step: Step, statement: Try, place: Place) -> Runner:
        if len(statement.steps) == 1 and statement.steps[0].name == step.name:
            body = self.single(statement.steps[0], place)
        else:
            body = self.block(statement.steps, place)
        retry = None
        if statement.retry is not None:
            retry = retries.compile_retry(statement.retry, self.evaluator(place))
        handler = None
        if statement.handler is not None:
            scope = Scope(place.scope.layout, place.scope)
            name = statement.handler.name
            if name is not None:
                scope.declare(name)
            scope.take(statement.handler.steps)
            handler = retries.HandlerCode(
                None if name is None else scope.places[name],
                scope.local_places(),
                self.block(statement.handler.steps, replace(place, scope=scope)),
            )
        return retries.attempt(step.name, body, retry, handler)

    def raise_(self, _step: Step, statement: Raise, place: Place) -> Runner:
        value = self.evaluator(place).value(statement.value, "raise value")
        return blocks.throw(value, statement.value.position)

    def return_(self, step: Step, statement: Return, place: Place) -> Runner:
        if place.in_branch:
            raise DeployError("'return' cannot leave a branch of a parallel step")
        value = self.evaluator(place).value(statement.value, "return value")
        position = statement.value.position
        if value.plain is not None:
            plain = value.plain

            def run(frame: Frame) -> Signal:
                frame.at = position
                return Returned(plain(frame), step.name, position)

            return "STEP_RETURN", run, False

        def flow(frame: Frame) -> Generator[Any, Any, Signal]:
            frame.at = position
            return Returned((yield from value.run(frame)), step.name, position)

        return "STEP_RETURN", flow, True

    def steps(self, _step: Step, statement: Steps, place: Place) -> Runner:
        return blocks.group(self.block(statement.steps, place))

    def nothing(self, _step: Step, _statement: Nothing, _place: Place) -> Runner:
        return "STEP_GOTO", lambda _frame: None, False


_COMPILERS: Final[dict[type, Callable[[_Compiler, Step, Any, Place], Runner]]] = {
    Assign: _Compiler.assign,
    CallStep: _Compiler.call,
    Switch: _Compiler.switch,
    For: _Compiler.for_,
    Parallel: _Compiler.parallel,
    Try: _Compiler.try_,
    Raise: _Compiler.raise_,
    Return: _Compiler.return_,
    Steps: _Compiler.steps,
    Nothing: _Compiler.nothing,
}
