"""Everything that listens: the door, HTTP, gRPC and metadata, on one loop in one thread."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from localcloud.domains.certificates import Authority
from localcloud.domains.public_dns import HOST as PUBLIC_DNS
from localcloud.doors.control import Control
from localcloud.doors.door import Door
from localcloud.doors.grpc_door import GrpcDoor
from localcloud.doors.http_door import HttpDoor, Protocol
from localcloud.doors.insiders import proxy as proxy_for
from localcloud.doors.side_loop import end_everything
from localcloud.identity.issuer import HOSTS as ISSUER_HOSTS
from localcloud.identity.issuer import Issuer
from localcloud.identity.metadata import Metadata
from localcloud.page import Page

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from localcloud.cloud import Cloud


class Serving:
    """A cloud with its doors open; use it in a ``with`` statement."""

    def __init__(self, cloud: Cloud, *, port: int = 0) -> None:
        """Prepare to serve ``cloud``, the door on ``port`` or any free one."""
        self._cloud = cloud
        self._wanted = port
        self.key = _key(cloud.state / "keys" / "control")
        self.authority = Authority(cloud.state / "keys")
        self.issuer = Issuer(cloud.tokens)
        self._http = HttpDoor(cloud, self.issuer, Control(cloud, self.key), Page(cloud, self.key))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="doors", daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self.port = 0
        self.http_port = 0
        self.grpc_port = 0

    def __enter__(self) -> Serving:  # noqa: PYI034 - nobody derives from it
        """Open the doors and wait until they are."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        self._cloud.serving = self
        try:
            self._cloud.start()
        except BaseException:  # whatever it was, the doors that are open already are closed again
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the doors."""
        self._cloud.serving = None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        self._http.close()

    @property
    def bundle(self) -> Path:
        """The certificate authority clients must trust."""
        return self.authority.bundle

    def metadata_port(self, email: str) -> int:
        """Give the port of an identity's metadata server."""
        opening = asyncio.run_coroutine_threadsafe(self._metadata.port(email), self._loop)
        return opening.result(10)

    def grpc_port_of(self, host: str) -> int:
        """Give the loopback port that speaks gRPC, without TLS, for one host."""
        opening = asyncio.run_coroutine_threadsafe(self._grpc.port(host), self._loop)
        return opening.result(10)

    def serves(self, host: str) -> bool:
        """Tell whether a host name exists here."""
        return (
            host in ISSUER_HOSTS
            or host == PUBLIC_DNS
            or self._cloud.is_ingress(host)
            or self._cloud.router.serves(host)
        )

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits in __enter__
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _main(self) -> None:
        self._metadata = Metadata(self._cloud)
        await self._metadata.resume()
        self._grpc = grpc = GrpcDoor(self._cloud)
        door = Door(
            self.authority,
            serves=self.serves,
            metadata=self._metadata.listens,
            way=self._cloud.balancer.way,
            insiders=self._cloud.insiders,
        )
        config = uvicorn.Config(
            self._http,
            http=Protocol,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,  # nobody but the door is between, and anybody could forge them
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
            backlog=512,
        )
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        # asyncio only does this where the socket names its protocol, which create_server's does
        # not; without it each answer waits 40 ms for an acknowledgement. Accepted sockets inherit.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.http_port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        self.grpc_port = await grpc.open()
        self.port = await door.open(port=self._wanted, http=self.http_port, grpc=grpc.port)
        while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        self._ready.set()
        await self._stop.wait()
        await door.close()
        await self._metadata.close()
        await grpc.close()
        server.should_exit = True
        await serving
        await end_everything()


def _key(file: Path) -> str:
    """Give the secret of this state folder's command line and status page, made once."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16))
    return file.read_text()


def child_environment(
    cloud: Cloud, serving: Serving, email: str, *, network: str | None = None
) -> dict[str, str]:
    """Give the variables that make a process find this cloud under Google's names."""
    proxy = proxy_for(network, serving.port)
    metadata = f"127.0.0.1:{serving.metadata_port(email)}"
    bundle = str(serving.bundle)
    direct = "127.0.0.1,localhost"
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": f"http://{metadata}",
        "http_proxy": f"http://{metadata}",
        "NO_PROXY": direct,
        "no_proxy": direct,
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "HTTPLIB2_CA_CERTS": bundle,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "GCE_METADATA_HOST": metadata,
        "GCE_METADATA_ROOT": metadata,
        "GCE_METADATA_IP": metadata,
        "GOOGLE_CLOUD_PROJECT": cloud.project,
    }
