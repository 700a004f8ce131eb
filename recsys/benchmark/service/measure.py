"""`tailor benchmark online`: a home, a service, a load, and what came of it."""

import itertools
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from recsys.benchmark.service.faults import suffered
from recsys.benchmark.service.home import Variants, copied, variants
from recsys.benchmark.service.load import Call, Gun, Shot, figures
from recsys.benchmark.service.processes import REDIS, Running, free_port, tailor
from recsys.errors import StageError
from recsys.ladder import Rung
from recsys.parallel import WORKERS

Told = Callable[[str], None]
WARM = 5.0  # seconds that are not counted
RATE, RATE_WITH_LM = 60.0, 5.0


def measure(
    reviews: Sequence[Path],
    items: Sequence[Path],
    told: Told,
    *,
    home: Path | None = None,
    seconds: float = 60.0,
    minutes: float = 10.0,
) -> dict[str, Any]:
    """Run everything on a home of its own, made from raw files or copied from another."""
    if minutes and not shutil.which(REDIS):
        raise StageError(
            f"no {REDIS} on the PATH, to be stopped under load",
            where="benchmark online",
            fix=f"install Debian's package {REDIS}, or leave the faults out by --minutes 0",
        )
    with tempfile.TemporaryDirectory(prefix="tailor-benchmark-") as folder:
        root = Path(folder)
        at = copied(home, root) if home else _made(root, reviews, items, told)
        found = variants(at)
        told(f"{len(found.users):,} shoppers, {len(found.items):,} items")
        result = _speed(at, root, found, seconds, told)
        result["faults"] = suffered(at, root, found, minutes, told)
        return result


def _made(root: Path, reviews: Sequence[Path], items: Sequence[Path], told: Told) -> Path:
    told("making a home: this takes as long as `tailor run`")
    home = root / "home"
    words = ["--reviews", *map(str, reviews), "--items", *map(str, items)]
    done = subprocess.run(
        tailor("--home", str(home), "run", *words), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StageError((done.stderr.strip().splitlines() or ["no word"])[-1], where="tailor run")
    return home


def _speed(home: Path, root: Path, found: Variants, seconds: float, told: Told) -> dict[str, Any]:
    """A worker for each core, three ways to a list."""
    port = free_port()
    environment = {"TAILOR_HOME": str(home), "TAILOR_SERVICE__LIMITS__RATE": "0"}
    result: dict[str, Any] = {}
    memory = []
    gun = Gun(port)
    found.releases.swap(found.without.id)
    command = tailor("serve", "--port", str(port), "--workers", str(WORKERS))
    with Running(command, environment, root / "serve.log") as service:
        service.ready(f"http://127.0.0.1:{port}/readyz")
        phases = (
            # any filter makes a list anew: published ones are made without
            ("no_lm", found.without.id, RATE, "?in_stock=true"),
            ("published", found.without.id, RATE, ""),
            ("with_lm", found.with_lm.id, RATE_WITH_LM, "?in_stock=true"),
        )
        for name, release, rate, query in phases:
            found.releases.swap(release)
            _until_serving(gun, release)
            calls = _calls(found.users, query)
            gun.fire(lambda calls=calls: next(calls), rate, WARM)  # type: ignore[misc]
            shots = gun.fire(lambda calls=calls: next(calls), rate, seconds)  # type: ignore[misc]
            result[name] = figures(shots, seconds)
            memory.append(round(service.mib() / WORKERS, 1))
            late = f"sent {median(shot.late for shot in shots):.2f} ms late"
            told(f"{name}: {result[name]}, {late}, {memory[-1]} MiB, {_rungs(shots)}")
        if not any(shot.told.get("rung") == Rung.ADAPTED_LM for shot in shots):
            raise StageError("no list is of the adapted model", where="benchmark online")
    result["worker_mib"] = max(memory)
    return result


def _calls(users: Sequence[str], query: str) -> Iterator[Call]:
    """A list for one shopper after another, in a random order."""
    order = random.Random(1).sample(users, len(users))  # noqa: S311 - a load, not a secret
    for user in itertools.cycle(order):
        yield Call("GET", f"/v1/recommendations/{quote(user, safe='')}{query}")


def _until_serving(gun: Gun, release: str) -> None:
    for _ in range(1_200):
        if gun.ask(Call("GET", "/readyz")).told.get("release") == release:
            return
        time.sleep(0.1)
    raise StageError(f"the service did not take release {release}", where="benchmark online")


def _rungs(shots: Sequence[Shot]) -> dict[str, int]:
    """What made the lists, and why no better."""
    told = (f"{shot.told.get('rung')}/{shot.told.get('why')}" for shot in shots)
    return dict(Counter(told).most_common())
