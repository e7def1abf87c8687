"""docs/permissions.md says what the planner grants, and nothing else."""

from tests.repository.permissions_page import COLUMNS, PAGE, REASONS, SERVER, held, page


def test_the_page_is_what_is_granted() -> None:
    """Who changes a grant writes the page anew: make schemas."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_reason_is_for_a_grant() -> None:
    """A reason for what nobody holds any more would be read as if somebody did."""
    granted = {row for column in COLUMNS for row in held(column) if row[0] == SERVER}

    assert granted == set(REASONS)


def test_nobody_may_do_everything() -> None:
    """No basic role and no administrator's, whatever is asked for."""
    roles = {role for column in COLUMNS for _, role, _ in held(column)}

    assert not {role for role in roles if role in {"owner", "editor"} or "dmin" in role}


def test_only_what_nothing_smaller_has_is_on_the_project() -> None:
    """Two roles, both of the server."""
    wide = {
        (who, role) for column in COLUMNS for who, role, place in held(column) if place == "project"
    }

    assert wide == {(SERVER, "cloudsql.client"), (SERVER, "logging.logWriter")}
