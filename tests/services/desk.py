"""A desk that is served on loopback, for a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.server import application


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """Serve a desk in a thread; give its address."""
    settings = uvicorn.Config(application(desk), host="127.0.0.1", port=0, log_level="warning")
    socket = settings.bind_socket()
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
