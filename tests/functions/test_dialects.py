"""What the credentials function says to each engine; the end-to-end tests hear the answers."""

import pytest

from functions.secrets.dialects import DIALECTS, ROLE


@pytest.mark.parametrize("engine", DIALECTS)
def test_a_user_gets_rights_on_its_own_database_only(engine: str) -> None:
    """And a limit of connections, so that it leaves some to others."""
    said = DIALECTS[engine].rights(database="demo", user="demo", limit=35)

    grants = [line for line in said.splitlines() if line.startswith("GRANT")]
    assert all("*.*" not in line for line in grants)
    assert any("demo" in line for line in grants)
    assert "35" in said


@pytest.mark.parametrize("engine", DIALECTS)
@pytest.mark.parametrize("name", ['de"mo', "de`mo", "demo;drop", "", "Demo"])
def test_a_name_that_is_none_is_not_put_into_sql(engine: str, name: str) -> None:
    """Names were checked at the door; here they are checked once more."""
    with pytest.raises(ValueError, match="not a name"):
        DIALECTS[engine].rights(database=name, user="demo", limit=1)


@pytest.mark.parametrize("engine", DIALECTS)
def test_the_tenants_role_is_made_any_number_of_times(engine: str) -> None:
    """Two deployments may begin at once, and a step may be repeated."""
    said = DIALECTS[engine].make_role

    assert ROLE in said
    assert "IF NOT EXISTS" in said


def test_mysqls_root_is_dropped() -> None:
    """Cloud SQL makes it without a password."""
    assert "DROP USER IF EXISTS 'root'@'%'" in DIALECTS["mysql"].make_role
