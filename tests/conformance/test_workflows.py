"""The interpreter follows the documented language, case by case.

``workflows`` holds the cases that came with the reference, ``language`` our own.
"""

from pathlib import Path

import pytest

from localcloud.workflows.conformance import Case, cases, main, run_case

FOLDER = Path(__file__).parent
CASES = dict(cases(FOLDER))


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    """What the case says about results, errors, requests and waits is what happens."""
    assert run_case(CASES[name]) == []


def test_a_wrong_expectation_is_noticed() -> None:
    """A runner that passes everything would prove nothing."""
    case: Case = {"workflow": "- a: {return: 1}", "expect": {"result": 2}}
    assert run_case(case) == ["result: wanted 2, found 1"]


def test_a_folder_without_cases_is_no_success(tmp_path: Path) -> None:
    """Nothing passed is not everything passed."""
    assert main([str(tmp_path)]) == 1
