"""Minutes of mixed load while releases are swapped, the online store stops, the model is killed."""

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recsys.artifacts import Release
from recsys.benchmark.service.home import Variants
from recsys.benchmark.service.load import Call, Gun, Shot
from recsys.benchmark.service.processes import Running, free_port, redis, tailor

Told = Callable[[str], None]
NOTHING = {"requests": 0, "status_5xx": 0, "torn": 0, "events_lost": 0}
RATE = 20.0
SWAP_EVERY, DOWN = 30.0, 5.0  # seconds
SETTLE = 60.0  # seconds after the load until every purchase must be in the online store
ACKNOWLEDGED = {200, 201, 202}
DAY = timedelta(days=1)
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def suffered(home: Path, root: Path, found: Variants, minutes: float, told: Told) -> dict[str, int]:
    """Count what went wrong; nothing may."""
    if not minutes:
        return NOTHING
    ports = {name: free_port() for name in ("serve", "model", "redis")}
    environment = _environment(home, ports)
    store = root / "redis"
    store.mkdir()
    online = Running(redis(ports["redis"], store), {}, root / "redis.log")
    model = Running(
        tailor("personalizer", "serve", "--port", str(ports["model"])),
        environment,
        root / "model.log",
    )
    found.releases.swap(found.with_lm.id)
    with online:
        time.sleep(1)
        _fill(environment, root)
        with model:
            model.ready(f"http://127.0.0.1:{ports['model']}/readyz")
            command = tailor("serve", "--port", str(ports["serve"]), "--workers", "1")
            with Running(command, environment, root / "serve-faults.log") as service:
                service.ready(f"http://127.0.0.1:{ports['serve']}/readyz")
                harm = _Harm(found, online, model, minutes * 60, told)
                return _under_load(harm, Gun(ports["serve"]))


def _environment(home: Path, ports: dict[str, int]) -> dict[str, str]:
    return {
        "TAILOR_HOME": str(home),
        "TAILOR_FEATURES__STORE__ONLINE": "redis",
        "TAILOR_FEATURES__STORE__CONNECTION": f"redis://127.0.0.1:{ports['redis']}/0",
        "TAILOR_PERSONALIZER__SERVER__URL": f"http://127.0.0.1:{ports['model']}",
        "TAILOR_SERVICE__LIMITS__RATE": "0",
    }


def _fill(environment: dict[str, str], root: Path) -> None:
    """Bring the features of the home into the store that will be stopped."""
    words = ("--start", EVER.isoformat(), "--end", (datetime.now(UTC) + DAY).isoformat())
    for step in (("apply",), ("materialize", *words)):
        step_ = Running(tailor("features", *step), environment, root / "fill.log")
        step_.start()
        assert step_.process is not None
        if step_.process.wait(600):
            raise RuntimeError((root / "fill.log").read_text()[-500:])


def _under_load(harm: "_Harm", gun: Gun) -> dict[str, int]:
    found, mix, over = harm.found, _Mix(harm.found), threading.Event()
    doing = threading.Thread(target=harm.do, args=(over,), daemon=True)
    doing.start()
    shots = gun.fire(mix.next, RATE, harm.seconds)
    over.set()
    doing.join()
    lost = _lost(gun, [shot for shot in shots if shot.call.path == "/v1/events"])
    figures = {
        "requests": len(shots),
        "status_5xx": sum(shot.status >= 500 or shot.status == 0 for shot in shots),
        "torn": sum(_torn(shot.told, found.keys) for shot in shots),
        "events_lost": lost,
    }
    statuses = sorted({shot.status for shot in shots})
    releases = {shot.told.get("release") for shot in shots} - {None}
    harm.told(f"faults: {figures}, statuses {statuses}, {len(releases)} releases")
    return figures


@dataclass(frozen=True)
class _Harm:
    """What is done to the parts while the load is on."""

    found: Variants
    online: Running
    model: Running
    seconds: float
    told: Told

    def do(self, over: threading.Event) -> None:
        """Swap all the time; kill the store at a fifth and three fifths, the model in between."""
        began, swaps = time.monotonic(), 0
        parts = (self.online, self.model, self.online, self.model)
        plan = [(self.seconds * n / 5, part) for n, part in enumerate(parts, start=1)]
        while not over.wait(0.2):
            now = time.monotonic() - began
            if now >= SWAP_EVERY * (swaps + 1):
                swaps += 1
                self._swap(self.found.other if swaps % 2 else self.found.with_lm)
            if plan and now >= plan[0][0]:
                _, part = plan.pop(0)
                part.end(signal.SIGKILL)
                over.wait(DOWN)
                part.start()
        self.told(f"{swaps} swaps, {len(parts) - len(plan)} parts killed and started again")

    def _swap(self, release: Release) -> None:
        self.found.releases.swap(release.id)


class _Mix:
    """What a shop asks for: mostly lists, some of everything else."""

    def __init__(self, found: Variants) -> None:
        self._found, self._rng = found, random.Random(2)  # noqa: S311 - a load, not a secret
        self._events = 0

    def next(self) -> Call:
        """Draw a request."""
        rng, found = self._rng, self._found
        user = rng.choice(found.users)
        path, item = quote(user, safe=""), rng.choice(found.items)
        kind = rng.random()
        if kind < 0.4:
            return Call("GET", f"/v1/recommendations/{path}")
        if kind < 0.6:
            return Call("GET", f"/v1/recommendations/{path}?context_item={quote(item, safe='')}")
        if kind < 0.7:
            return Call("GET", f"/v1/similar/{quote(item, safe='')}")
        if kind < 0.8:
            return Call("POST", "/v1/recommendations", {"users": [user, rng.choice(found.users)]})
        if kind < 0.85:
            return Call("POST", "/v1/rerank", {"user": user, "items": rng.sample(found.items, 20)})
        self._events += 1
        moment = datetime.now(UTC) - timedelta(seconds=1)
        body = {"event_id": f"benchmark-{self._events}", "user": user, "item": item}
        return Call("POST", "/v1/events", {**body, "event_timestamp": moment.isoformat()})


def _torn(told: dict[str, Any], keys: dict[str, str]) -> bool:
    """Whether an answer is of more than one release."""
    if "release" not in told:
        return False
    parts = [told, *told.get("results", [])]
    releases = {(part["release"], part["lineage_key"]) for part in parts}
    return len(releases) != 1 or keys.get(told["release"]) != told["lineage_key"]


def _lost(gun: Gun, events: Sequence[Shot]) -> int:
    """Acknowledged purchases that are not in the shopper's history afterwards."""
    left = [shot.call.body or {} for shot in events if shot.status in ACKNOWLEDGED]
    end = time.monotonic() + SETTLE
    while left and time.monotonic() < end:
        left = [body for body in left if not _found(gun, body)]
        time.sleep(1 if left else 0)
    return len(left)


def _found(gun: Gun, body: dict[str, Any]) -> bool:
    shot = gun.ask(Call("GET", f"/v1/features/{quote(body['user'], safe='')}"))
    history = shot.told.get("views", {}).get("user_history", {}).get("values", {})
    return body["item"] in history.get("item_ids", [])
