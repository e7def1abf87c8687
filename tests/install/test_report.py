"""What an installation says: changes line by line, the rest as a number, and nothing in silence."""

import io
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass

import pytest

from install import __main__ as command
from install.apply import Group, apply
from install.errors import InstallError
from install.report import Report
from install.rows import State
from install.session import Session
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.in_process import session

Install = Callable[..., Report]


@dataclass(frozen=True)
class Line:
    """A row that is found as told, and told when it is looked at and made."""

    title: str
    state: State = "same"
    looked: Callable[[], None] = lambda: None
    made: Callable[[], None] = lambda: None

    def look(self, session: Session) -> State:  # noqa: ARG002 - a row's signature
        """Be found."""
        self.looked()
        return self.state

    def make(self, session: Session, state: State) -> None:  # noqa: ARG002 - a row's signature
        """Be made."""
        self.made()


@dataclass(frozen=True)
class Told:
    """A report, where it prints and the clock it goes by."""

    report: Report
    out: io.StringIO
    clock: VirtualClock

    @property
    def lines(self) -> list[str]:
        """Return what was printed, each line with its words one space apart."""
        return [" ".join(line.split()) for line in self.out.getvalue().splitlines() if line]


def told(*, plan: bool = False, verbose: bool = False) -> Told:
    """Return a report on a virtual clock."""
    out, clock = io.StringIO(), VirtualClock()
    return Told(Report(plan=plan, verbose=verbose, out=out, clock=clock.now), out, clock)


@pytest.fixture
def anybody(cloud: Cloud) -> Session:
    """Return a session; the rows here do not use it."""
    return session(cloud)


def test_what_is_as_wanted_is_a_number_and_no_line(anybody: Session) -> None:
    """Of ninety rows that are as wanted and one that is not, one is shown, below its heading."""
    seen = told()
    quiet = [Line(f"quiet {number}") for number in range(90)]

    apply(anybody, [Group("quiet", [quiet]), Group("new", [[Line("it", "absent")]])], seen.report)

    assert seen.lines == ["new", "created it 0.0 s"]
    assert seen.report.summary() == "1 created, 90 unchanged in 0.0 s"


def test_nothing_to_do_is_one_line(anybody: Session) -> None:
    """A second run says that everything was as wanted, and how much that is."""
    seen = told()

    apply(anybody, [Group("quiet", [[Line("one"), Line("other")]])], seen.report)

    assert seen.lines == []
    assert seen.report.summary() == "all 2 unchanged in 0.0 s"


def test_verbose_lists_what_is_as_wanted(anybody: Session) -> None:
    """With --verbose every row has its line, changed or not."""
    seen = told(verbose=True)

    apply(anybody, [Group("quiet", [[Line("one"), Line("other", "different")]])], seen.report)

    assert seen.lines == ["quiet", "unchanged one 0.0 s", "updated other 0.0 s"]


def test_a_plan_says_what_it_would_do(anybody: Session) -> None:
    """With --plan what would change has its line, and the summary does not say that it was done."""
    seen = told(plan=True)

    apply(anybody, [Group("new", [[Line("it", "absent"), Line("same")]])], seen.report)

    assert seen.lines == ["new", "would create it 0.0 s"]
    assert seen.report.summary() == "1 to create, 1 unchanged in 0.0 s"


def slow(seen: Told, seconds: float) -> Callable[[], None]:
    """Return what takes a while, during which the report ticks as it does in earnest."""

    def wait() -> None:
        for _ in range(int(seconds * 2)):
            seen.clock.advance(0.5)
            seen.report.tick()

    return wait


def test_what_takes_long_is_announced_once(anybody: Session) -> None:
    """Making something for a minute is said after two seconds, and its end is."""
    seen = told()

    apply(anybody, [Group("slow", [[Line("pool", "absent", made=slow(seen, 60))]])], seen.report)

    assert seen.lines == ["slow", "… pool: creating", "created pool 60.0 s"]


def test_a_look_that_takes_long_is_announced_with_its_end(anybody: Session) -> None:
    """What was said to take long is said to be over, though nothing was changed."""
    seen = told()

    apply(anybody, [Group("slow", [[Line("pool", looked=slow(seen, 3))]])], seen.report)

    assert seen.lines == ["slow", "… pool: looking", "unchanged pool 3.0 s"]


def test_what_has_ended_is_not_announced_any_more() -> None:
    """A tick between the end of a row and the next row finds nothing in work."""
    seen = told()

    with seen.report.work(Line("slow")) as work:
        seen.clock.advance(3)
        work.ended("absent")
        seen.report.tick()

    assert seen.lines == ["created slow 3.0 s"]


def test_many_quick_looks_are_no_silence(anybody: Session) -> None:
    """Ninety looks of half a second each: every two seconds and a bit one hears where it stands."""
    seen = told()
    quick = [Line(f"row {number}", looked=slow(seen, 0.5)) for number in range(10)]

    apply(anybody, [Group("quick", [quick])], seen.report)

    assert seen.lines == [
        "quick",
        "… 4 unchanged so far, at row 4",
        "… 9 unchanged so far, at row 9",
    ]


def test_what_failed_is_named(anybody: Session) -> None:
    """The row that could not be looked at has a line below its heading, though it changed nothing."""
    seen = told()

    def refuse() -> None:
        raise InstallError("no")

    with pytest.raises(InstallError):
        apply(anybody, [Group("bad", [[Line("it", looked=refuse)]])], seen.report)

    assert seen.lines == ["bad", "failed it 0.0 s"]


def test_of_things_side_by_side_all_end_before_a_failure_is_told(anybody: Session) -> None:
    """One chain fails at once; the other is brought to its end all the same."""
    seen, failed = told(), threading.Event()

    def refuse() -> None:
        failed.set()
        raise InstallError("no")

    def late() -> None:
        assert failed.wait(30)

    chains = [[Line("bad", looked=refuse)], [Line("good", "absent", made=late)]]
    with pytest.raises(InstallError, match="no"):
        apply(anybody, [Group("both", chains)], seen.report)

    assert seen.report.counts["created"] == 1


def test_a_second_installation_prints_its_number_only(ready: Cloud, again: Install) -> None:
    """The whole of it on a project that has everything: not a single line before the summary."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        report = again()

    assert printed.getvalue() == ""
    assert report.summary().startswith(f"all {report.counts['unchanged']} unchanged in ")
    assert ready.calls.count("cloudfunctions.projects.locations.functions.patch") == 0


def test_an_interruption_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends it at once, with the shell's code for that and what to do, without a traceback."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("google.auth.default", interrupted)

    status = command.main(["apply", "--project", "p", "--region", "europe-west1"])

    assert status == 130
    assert "the same command goes on from here" in capsys.readouterr().err
