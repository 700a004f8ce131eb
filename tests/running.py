"""A real server on a free port, in a thread of the test."""

import socket
import threading
import time

import httpx
import uvicorn


class Running:
    def __init__(self, app):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.app = app
        self.server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run)
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self):
        self.thread.start()
        self.client = httpx.Client(base_url=self.url, timeout=30)
        while True:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return self
            except httpx.ConnectError:
                pass
            assert self.thread.is_alive(), "the service ended at its start"
            time.sleep(0.02)

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()
        self.client.close()
