"""What Cloud SQL needs from the machine behind it; postgres.py is real, paper_databases.py is not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

SUPERUSER_ROLE = "cloudsqlsuperuser"
# The answer of executeSql is limited to 10 MB on Google; rows are cut before that.
MOST_BYTES = 10 * 1024 * 1024


class DatabaseError(Exception):
    """The database server refused; ``str()`` is the server's own sentence.

    ``sqlstate`` is PostgreSQL's code, ``number`` MySQL's; each is what its drivers tell errors by.
    """

    def __init__(
        self, message: str, *, detail: str = "", sqlstate: str = "", number: int = 0
    ) -> None:
        super().__init__(message)
        self.detail = detail
        self.sqlstate = sqlstate
        self.number = number

    @property
    def quoted(self) -> str:
        """Return the sentence as the driver behind Cloud SQL's API quotes it."""
        return f"Error {self.number}: {self}" if self.number else f"pq: {self}"


@dataclass(frozen=True)
class Login:
    """A user of an instance, as the API describes him; hosts are MySQL's, others have none."""

    name: str
    host: str = ""
    iam: bool = False
    password: str | None = None
    roles: tuple[str, ...] = ()
    attributes: bool = False  # CREATEROLE and CREATEDB, which no role membership hands on


@dataclass(frozen=True)
class Statement:
    """What is executed, by whom; a password of None means the instance vouches for the user."""

    database: str
    sql: str
    user: str
    password: str | None = None
    row_limit: int | None = None


@dataclass(frozen=True)
class ResultSet:
    """What one statement answered."""

    message: str
    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    truncated: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a whole text of statements answered, with the server's notices."""

    results: tuple[ResultSet, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()
    error: DatabaseError | None = field(default=None, compare=False)


class Databases(Protocol):
    """The servers of all instances; an instance is named P:R:I, its connection name."""

    def refusal(self, version: str) -> str | None:
        """Say why instances of this version cannot exist here, or None when they can."""

    def installed_version(self, version: str) -> str:
        """Return the exact version that stands behind ``version``, such as POSTGRES_18_6."""

    def create(self, instance: str, version: str, *, options: dict[str, str]) -> None:
        """Make the instance's server and start it."""

    def configure(self, instance: str, options: dict[str, str]) -> None:
        """Restart a running server with these settings; remember them for one that is stopped."""

    def start(self, instance: str) -> None:
        """Start the server, if it does not run."""

    def stop(self, instance: str) -> None:
        """Stop the server and leave its data; it stays stopped when the local cloud restarts."""

    def delete(self, instance: str) -> None:
        """Stop the server and remove its data; harmless when there is none."""

    def socket_directory(self, instance: str) -> Path:
        """Return the directory in which the instance's socket lies."""

    def socket(self, instance: str) -> Path:
        """Return the socket itself, which passwords open as they do for anybody."""

    def iam_password(self, instance: str, user: str) -> str:
        """Return the internal password of an IAM user, for whoever has checked his token."""

    def databases(self, instance: str) -> list[str]:
        """Name the databases users can see."""

    def collations(self, instance: str) -> dict[str, tuple[str, str]]:
        """Return what the server knows of each database's character set and collation."""

    def create_database(
        self, instance: str, name: str, charset: str = "", collation: str = ""
    ) -> None:
        """Create a database owned by cloudsqlsuperuser; only MySQL sorts as it is told here."""

    def alter_database(self, instance: str, name: str, charset: str, collation: str) -> None:
        """Change a database's character set and collation, which only MySQL can."""

    def check_drop_database(self, instance: str, name: str) -> None:
        """Raise DatabaseError when the database is in use and stays so for a while."""

    def drop_database(self, instance: str, name: str) -> None:
        """Drop a database; DatabaseError when somebody is connected to it."""

    def users(self, instance: str) -> list[tuple[str, str]]:
        """Name everybody who may log in, with the hosts he may come from (only MySQL has any)."""

    def set_user(self, instance: str, login: Login, *, revoke: bool = False) -> None:
        """Create the user or change him; ``revoke`` takes memberships not named in ``login``."""

    def memberships(self, instance: str, user: str, host: str = "") -> list[str]:
        """Name the roles the user is a direct member of."""

    def check_drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Raise DatabaseError when something depends on the user."""

    def drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Drop the user; DatabaseError when something depends on him."""

    def execute(self, instance: str, statement: Statement) -> Outcome:
        """Run a text of SQL statements as one user."""

    def dump(self, instance: str, target: Path) -> None:
        """Write every database, and the users with their passwords, into the directory ``target``."""

    def restore(self, instance: str, source: Path) -> None:
        """Replace all databases and users of a running instance by what ``dump`` wrote."""

    def resume(self) -> None:
        """Start the servers that ran when the local cloud went down."""

    def close(self) -> None:
        """Stop all servers; they are started again by ``resume``."""
