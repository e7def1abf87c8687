"""Google's connector in front of MySQL: passwords and access tokens, where MariaDB is installed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
from google.cloud.sql.connector import Connector

from localcloud.cloud import Cloud
from tests.localcloud.services.sqladmin.test_connector import Identity
from tests.localcloud.services.sqladmin.test_real import P, Sql
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("sqladmin-connector-mysql")

CONNECTION = f"{P}:europe-west1:shop"
APP, GUEST = (f"{name}@{P}.iam.gserviceaccount.com" for name in ("app-one", "guest-one"))
BODY = {
    "name": "shop",
    "region": "europe-west1",
    "databaseVersion": "MYSQL_8_4",
    "rootPassword": "root password",
    "settings": {
        "tier": "db-g1-small",
        "edition": "ENTERPRISE",
        "databaseFlags": [{"name": "cloudsql_iam_authentication", "value": "on"}],
    },
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return a cloud with its doors open, an instance, and two IAM users, of whom one may log in."""
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    if made.machines.databases.refusal("MYSQL_8_4") is not None:
        made.close()
        pytest.skip("MariaDB is not installed")
    made.enable("sqladmin.googleapis.com", "iam.googleapis.com")
    sql = Sql(made)
    with made.serve():
        assert "error" not in sql.done(sql.api.instances().insert(project=P, body=BODY))
        accounts = client(made, "iam", "v1").projects().serviceAccounts()
        for email in (APP, GUEST):
            sent = {"accountId": email.partition("@")[0]}
            accounts.create(name=f"projects/{P}", body=sent).execute()
            user = {"name": email, "type": "CLOUD_IAM_SERVICE_ACCOUNT"}
            sql.done(sql.api.users().insert(project=P, instance="shop", body=user))
            made.grant(f"serviceAccount:{email}", "roles/cloudsql.client")
        made.grant(f"serviceAccount:{APP}", "roles/cloudsql.instanceUser")
        database = {"name": "orders"}
        sql.done(sql.api.databases().insert(project=P, instance="shop", body=database))
        yield made
    made.machines.databases.delete(CONNECTION)
    made.close()


@pytest.fixture
def ask(cloud: Cloud) -> Callable[..., tuple[Any, ...]]:
    """Give a function that connects as an identity and asks for one row."""
    assert cloud.serving is not None
    endpoint = f"http://127.0.0.1:{cloud.serving.port}"

    async def go(email: str, query: str, wanted: dict[str, Any]) -> tuple[Any, ...]:
        async with Connector(
            loop=asyncio.get_running_loop(),
            credentials=Identity(cloud, email),
            sqladmin_api_endpoint=endpoint,
            refresh_strategy="lazy",
        ) as connector:
            connection = await connector.connect_async(CONNECTION, "pymysql", **wanted)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    row: tuple[Any, ...] = cursor.fetchone()
                    return row
            finally:
                connection.close()

    def run(query: str, email: str = APP, **wanted: Any) -> tuple[Any, ...]:
        return asyncio.run(go(email, query, wanted))

    return run


WHO = "SELECT CURRENT_USER(), REPEAT('x', 100000)"


def test_a_password_user_talks_to_the_server(ask: Callable[..., tuple[Any, ...]]) -> None:
    """The scramble passes through, and what is larger than a packet, too."""
    row = ask(WHO, user="root", password="root password")
    assert (row[0], len(row[1])) == ("root@%", 100_000)


def test_an_iam_user_needs_no_password(cloud: Cloud, ask: Callable[..., tuple[Any, ...]]) -> None:
    """With automatic authentication, or with a token for a password, he is in as himself."""
    assert ask(WHO, user="app-one", enable_iam_auth=True)[0] == "app-one@%"
    token = cloud.tokens.access_token(APP)
    assert ask(WHO, user="app-one", password=token)[0] == "app-one@%"


@pytest.mark.parametrize(
    ("email", "wanted"),
    [
        (APP, {"user": "root", "password": "wrong"}),
        (APP, {"user": "app-one", "password": "no token"}),
        (APP, {"user": "app-one", "password": ""}),
        (APP, {"user": "guest-one", "enable_iam_auth": True}),
        (GUEST, {"user": "guest-one", "enable_iam_auth": True}),
        (GUEST, {"user": "app-one", "enable_iam_auth": True}),
    ],
)
def test_who_is_kept_out(
    ask: Callable[..., tuple[Any, ...]], email: str, wanted: dict[str, Any]
) -> None:
    """A wrong password, no token, another's name, no right to log in."""
    with pytest.raises(pymysql.OperationalError) as error:
        ask(WHO, email, **wanted)
    assert error.value.args[0] == 1045
    assert "Access denied for user" in error.value.args[1]


def test_the_server_has_the_last_word(ask: Callable[..., tuple[Any, ...]]) -> None:
    """An IAM user whom the server lets into no such database is told so."""
    with pytest.raises(pymysql.OperationalError, match="nowhere"):
        ask(WHO, user="app-one", enable_iam_auth=True, database="nowhere")
