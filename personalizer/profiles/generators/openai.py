"""Any server that speaks the OpenAI interface: vLLM, llama.cpp, a hosted one.

The key is read from the environment, once, and goes nowhere but into the header.
"""

import json
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from personalizer.errors import GeneratorError, extra
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators.base import Answer, Generator, Request
from personalizer.profiles.generators.cache import AnswerCache

with extra("llm"):
    import httpx

__all__ = ["OpenAIGenerator"]

_MOST_BYTES = 1_000_000
_WORTH_ANOTHER_TRY = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_WRONG_FOR_ALL = {401, 403, 404, 405}


class _TryAgainError(Exception):
    """A try failed in a way that another may not."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class OpenAIGenerator(Generator):
    """A chat model behind HTTP."""

    def __init__(self, config: ProfilesConfig, cache: AnswerCache | None = None) -> None:
        if not config.model:
            raise GeneratorError(
                "no model named",
                where="personalizer.profiles.model",
                fix="name one that the server has",
            )
        self._config, self._cache, self.tries = config, cache, config.tries
        key = os.environ.get(config.key_variable, "")
        self._client = httpx.Client(
            base_url=config.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(config.timeout_seconds),
            limits=httpx.Limits(max_connections=config.concurrency),
        )
        # spreads pauses of requests that failed together; answers don't depend on it
        self._random = random.Random(0)  # noqa: S311 - not a secret

    @classmethod
    def of(cls, config: ProfilesConfig, cache: Path | None) -> "OpenAIGenerator":
        """By the settings, with a cache file or none."""
        return cls(config, AnswerCache(cache) if cache else None)

    @property
    def version(self) -> str:
        """The model, and how it decodes."""
        config = self._config
        warm = f"~{config.temperature:g}" if config.temperature else ""
        return f"openai:{config.model}{warm}/{config.max_new_tokens}"

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Ask for all, a few at a time."""
        if not requests:
            return []
        with ThreadPoolExecutor(self._config.concurrency) as pool:
            return list(pool.map(self._one, requests))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _one(self, request: Request) -> Answer:
        body = {
            "model": self._config.model,
            "messages": request.messages,
            "max_tokens": min(request.max_new_tokens, self._config.max_new_tokens),
            "temperature": self._config.temperature,
        }
        if self._cache and (remembered := self._cache.get(body)):
            return remembered
        answer = self._until_answered(body)
        if self._cache and not answer.error:
            self._cache.put(body, answer)
        return answer

    def _until_answered(self, body: dict[str, Any]) -> Answer:
        why = ""
        for nth in range(1, self._config.tries + 1):
            try:
                return self._try(body, calls=nth)
            except _TryAgainError as error:
                why = str(error)
                if nth < self._config.tries:
                    time.sleep(self._pause(nth, error.pause))
        return Answer(error=f"{why}, {self._config.tries} times", calls=self._config.tries)

    def _pause(self, nth: int, asked_for: float | None) -> float:
        """As long as the server asks for, else growing and spread; never longer than allowed."""
        wait = 0.5 * 2**nth * self._random.uniform(0.5, 1) if asked_for is None else asked_for
        return max(0.0, min(wait, self._config.longest_pause_seconds))

    def _try(self, body: dict[str, Any], *, calls: int) -> Answer:
        until = time.monotonic() + self._config.timeout_seconds
        try:
            with self._client.stream("POST", "chat/completions", json=body) as response:
                content = _read(response, until)
                status, headers = response.status_code, response.headers
        except httpx.TimeoutException as error:
            raise _TryAgainError("no answer in time") from error
        except httpx.TransportError as error:
            raise _TryAgainError(f"the connection failed ({type(error).__name__})") from error
        if status in _WORTH_ANOTHER_TRY:
            pause = _retry_after(headers.get("retry-after"))
            raise _TryAgainError(f"the server said {status}", pause)
        if status in _WRONG_FOR_ALL:
            raise GeneratorError(
                f"the server said {status}",
                where=str(self._client.base_url),
                fix=f"check personalizer.profiles.url and .model, and the key in "
                f"{self._config.key_variable}",
            )
        if status >= 300:
            return Answer(error=f"the server refused the request with {status}", calls=calls)
        return _parsed(content, body, calls)


def _read(response: httpx.Response, until: float) -> bytes:
    """The whole body, unless it comes too slowly: a drip of bytes never times out by itself."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if time.monotonic() > until:
            raise _TryAgainError("the answer came too slowly")
        if len(content) > _MOST_BYTES:
            raise _TryAgainError("the answer was too large")
    return bytes(content)


def _parsed(content: bytes, body: dict[str, Any], calls: int) -> Answer:
    try:
        document = json.loads(content)
        choice = document["choices"][0]
        text = choice["message"]["content"] or ""
        if not isinstance(text, str):
            raise TypeError("content is not text")
        usage = document.get("usage") or {}
        tokens = int(usage.get("total_tokens") or _guess(body, text))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _TryAgainError("the answer was not what the interface says") from error
    return Answer(text.strip(), choice.get("finish_reason") == "length", "", tokens, calls)


def _guess(body: dict[str, Any], text: str) -> int:
    """About four characters are a token, where the server does not count."""
    return (sum(len(message["content"]) for message in body["messages"]) + len(text)) // 4


def _retry_after(header: str | None) -> float | None:
    """Seconds, from a number or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
