"""A small server that speaks the OpenAI interface, with faults to order.

In a thread of the test, or as a process that can be killed: python -m tests.openai_server PORT N
answers N requests and dies in the middle of the next.
"""

import asyncio
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

Fault = Callable[[], Any]


@dataclass
class Model:
    """What the server was asked, and what it does next."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    faults: list[Fault | None] = field(default_factory=list)  # one per request, None for none
    always: Fault | None = None
    answer: Callable[[str], str] | None = None
    finish: str = "stop"
    under_way: int = 0
    most_under_way: int = 0
    pause: float = 0.0
    die_after: int = -1


def app_of(model: Model) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        model.asked.append(body)
        model.keys.append(request.headers.get("authorization", ""))
        if 0 <= model.die_after < len(model.asked):
            os.kill(os.getpid(), signal.SIGKILL)
        model.under_way += 1
        model.most_under_way = max(model.most_under_way, model.under_way)
        try:
            await asyncio.sleep(model.pause)
            fault = model.faults.pop(0) if model.faults else model.always
            if fault is not None:
                found = fault()
                return await found if asyncio.iscoroutine(found) else found
            return JSONResponse(completion(model, body))
        finally:
            model.under_way -= 1

    return app


def completion(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    prompt = body["messages"][-1]["content"]
    text = (model.answer or plausible)(prompt)
    return {
        "choices": [
            {"message": {"role": "assistant", "content": text}, "finish_reason": model.finish}
        ],
        "usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100},
    }


def plausible(prompt: str) -> str:
    """What a good model might say: only of what it was shown."""
    shown = re.search(r"<purchases>\n(.*?)\n?</purchases>", prompt, re.DOTALL)
    lines = [line for line in (shown[1] if shown else "").splitlines() if line]
    kinds = list(dict.fromkeys(" ".join(line.split()[-2:]) for line in lines))
    if "Provide the product category" in prompt:
        return ", ".join(kinds)
    return f"This person seems to buy mostly {' and '.join(kinds[:2])} for the home."


def status(code: int, **headers: str) -> Fault:
    return lambda: Response(
        "no", code, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def broken_json() -> Response:
    return Response('{"choices": [{"mess', media_type="application/json")


def other_json() -> Response:
    return JSONResponse({"object": "list", "data": []})


def hang(seconds: float) -> Fault:
    async def wait() -> Response:
        await asyncio.sleep(seconds)
        return Response("late")

    return wait


def drip(seconds: float) -> Fault:
    """A byte now and then: no single read ever times out."""

    async def bytes_() -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            yield b" "
            await asyncio.sleep(0.05)

    return lambda: StreamingResponse(bytes_(), media_type="application/json")


def cut_off() -> Response:
    """Promises more than it sends, as a server that dies while it answers."""

    async def some() -> Any:
        yield b'{"choices": '
        raise RuntimeError("gone")

    return StreamingResponse(some(), headers={"content-length": "500"})


@contextmanager
def serving(model: Model | None = None) -> Iterator[tuple[str, Model]]:
    """The server in a thread; gives its URL and what it was asked."""
    model = model or Model()
    config = uvicorn.Config(app_of(model), port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    own, last = int(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(app_of(Model(die_after=last)), port=own, log_level="critical", lifespan="off")
