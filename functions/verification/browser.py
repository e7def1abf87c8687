"""The user interface: a browser's calls carry an Origin, which only MLflow's own lists let in.

/health and a plain GET prove nothing about it. Cloud Run gives a service several addresses, and
each of them must be on the lists.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.verification.answers import said
from functions.verification.check import Check, failed

if TYPE_CHECKING:
    from functions.verification.visitor import Visitor

_SEARCH = "/ajax-api/2.0/mlflow/experiments/search"
_FOREIGN = "https://stranger.example"
# The lists came with MLflow 3.5; an older server refuses no origin.
_FIRST_MAJOR = 3


def opens(member: Visitor) -> Check:
    """Prove that the page served from this address may call the server.

    Raises:
        CheckFailedError: The server refuses its own address.
    """
    name = "page works"
    member.expect(name, "POST", _SEARCH, headers={"Origin": member.url}, json={"max_results": 1})
    return Check(name, ok=True, detail=member.url)


def refuses_foreign_pages(member: Visitor, mlflow_version: str) -> Check:
    """Prove that a page from elsewhere may not, even in the browser of a member.

    Raises:
        CheckFailedError: The server lets a foreign page call it.
    """
    name = "foreign page refused"
    if int(mlflow_version.split(".", maxsplit=1)[0]) < _FIRST_MAJOR:
        return Check(name, ok=True, detail=f"MLflow {mlflow_version} does not check origins")
    answer = member.call(
        name, "POST", _SEARCH, headers={"Origin": _FOREIGN}, json={"max_results": 1}
    )
    if answer.status_code != HTTPStatus.FORBIDDEN:
        raise failed(name, f"a page from {_FOREIGN} got {said(answer)}")
    return Check(name, ok=True, detail=member.url)
