"""``oauth2-proxy`` as a command; its first line says that it is a stand-in."""

from __future__ import annotations

import os
import signal
import sys
import threading

from localcloud.oauth2_proxy.options import InvalidError, read
from localcloud.oauth2_proxy.server import Server

_STAND_IN = "oauth2-proxy: this is the local cloud's stand-in, not the real program"


def main() -> int:
    """Serve until told to stop; 1 for a configuration that is none."""
    print(_STAND_IN, flush=True)
    if sys.argv[1:] == ["--version"]:
        return 0
    try:
        options = read(sys.argv[1:], os.environ)
        server = Server(options, os.environ)
    except (InvalidError, OSError) as error:
        print(f"ERROR: {error}", file=sys.stderr, flush=True)
        return 1
    # shutdown() waits for the loop that this very thread is in
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"HTTP: listening on {options['http_address']}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
