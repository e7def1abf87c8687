"""How an example ends that does not reach its end."""

import pytest
import requests

from examples import ending


def test_an_interruption_says_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C: the shell's code for it, one sentence, no traceback."""
    with pytest.raises(SystemExit) as ended, ending.told():
        raise KeyboardInterrupt

    assert ended.value.code == 130
    assert "goes on without this program" in capsys.readouterr().err


def test_a_cloud_that_is_gone_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """`make down` in the middle: what did not answer, and what starts it again."""
    asked = requests.Request("GET", "https://berth-api-1.europe-west1.run.app/v1").prepare()

    with pytest.raises(SystemExit, match="once it is up"), ending.told():
        raise requests.ConnectionError(request=asked)

    told = capsys.readouterr().err
    assert "https://berth-api-1.europe-west1.run.app/v1 does not answer any more" in told
    assert "`make up`" in told


def test_other_failures_are_left_as_they_are() -> None:
    """What is not foreseen keeps its traceback."""
    with pytest.raises(ZeroDivisionError), ending.told():
        raise ZeroDivisionError
