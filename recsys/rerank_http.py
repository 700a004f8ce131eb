"""The reranker on another machine: the same scores, asked for over HTTP."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys.arrays import PAD, Floats, Ints
from recsys.errors import RerankerError

SHOPPERS = 64  # of one request
LONGEST_WAIT = 5.0  # seconds between two tries


class HttpReranker:
    """Asks a `tailor personalizer serve` for scores."""

    def __init__(self, url: str, titles: Sequence[str], *, hypernet: str, timeout: float) -> None:
        self._url, self._titles = url.rstrip("/"), titles
        self._hypernet, self._timeout = hypernet, timeout

    def serves(self) -> bool:
        """Whether the server has the very hypernetwork that is wanted."""
        told: dict[str, Any] = self._ask("/readyz", None)
        return told.get("hypernet") == self._hypernet

    def score(self, user_vectors: Floats, items: Ints) -> Floats:
        """Scores (U, K) of items (U, K) for taste vectors (U, D); -inf at padding (-1)."""
        scores = np.full(items.shape, -np.inf, np.float32)
        rows = np.flatnonzero((items != PAD).any(axis=1))
        for start in range(0, len(rows), SHOPPERS):
            some = rows[start : start + SHOPPERS]
            told = self._ask("/v1/score", self._request(user_vectors[some], items[some]))
            if told["hypernet"] != self._hypernet:
                raise RerankerError(
                    f"it serves the hypernetwork {told['hypernet']}, not {self._hypernet}",
                    where=self._url,
                    fix="restart `tailor personalizer serve`",
                )
            for row, result in zip(some, told["results"], strict=True):
                scores[row, items[row] != PAD] = result["scores"]
        return scores

    def _request(self, vectors: Floats, items: Ints) -> dict[str, Any]:
        return {
            "deadline_ms": max(1, round(self._timeout * 1000)),
            "shoppers": [
                {
                    # a float32 told in full is the same float32 again at the other end
                    "embedding": [float(number) for number in vector],
                    "candidates": [self._titles[item] for item in row[row != PAD]],
                }
                for vector, row in zip(vectors, items, strict=True)
            ],
        }

    def _ask(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Ask until the time is up; a busy server says when to come back."""
        end = time.monotonic() + self._timeout
        while True:
            try:
                return self._once(path, body, max(0.1, end - time.monotonic()))
            except urllib.error.HTTPError as error:
                wait = min(LONGEST_WAIT, float(error.headers.get("Retry-After") or 0))
                if error.code not in {429, 503} or not wait or time.monotonic() + wait > end:
                    raise RerankerError(
                        f"{error.code}: {_message(error)}", where=self._url + path
                    ) from error
            except (OSError, ValueError) as error:
                raise RerankerError(
                    f"no answer: {error}",
                    where=self._url + path,
                    fix="start `tailor personalizer serve` there, or empty personalizer.server.url",
                ) from error
            time.sleep(wait)

    def _once(self, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the address is a setting
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
        return told


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
