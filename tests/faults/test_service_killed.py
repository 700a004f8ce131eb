"""The service killed between two purchases: what it acknowledged is found by its next life."""

import signal
import threading
import time
from datetime import UTC, datetime

from recsys.benchmark.service.load import Call, Gun
from recsys.benchmark.service.processes import Running, free_port, tailor
from recsys.published import Published
from tests import tiny

EVENTS = 60


def event(number, user, item):
    moment = datetime.now(UTC).isoformat()
    body = {"event_id": f"killed-{number}", "user": user, "item": item, "event_timestamp": moment}
    return Call("POST", "/v1/events", body)


def test_every_acknowledged_purchase_is_found_after_a_kill(home, tmp_path):
    published = Published.open(tiny.settings(home.path))
    users = [f"new shopper {n}" for n in range(EVENTS)]
    items = [entry.item_id for entry in published.list_of("nobody").entries]
    port, kept = free_port(), []
    gun = Gun(port)
    command = tailor("serve", "--port", str(port))
    with Running(command, {"TAILOR_HOME": str(home.path)}, tmp_path / "serve.log") as service:
        service.ready(f"http://127.0.0.1:{port}/readyz")
        killing = threading.Timer(0.3, service.end, (signal.SIGKILL,))
        killing.start()
        for number, user in enumerate(users):
            told = gun.ask(event(number, user, items[number % len(items)]))
            if told.status in {201, 202}:
                kept.append((user, items[number % len(items)]))
        killing.join()
        assert len(kept) > 0
        service.start()
        service.ready(f"http://127.0.0.1:{port}/readyz")
        end = time.monotonic() + 20
        while missing := [one for one in kept if not _bought(gun, *one)]:
            assert time.monotonic() < end, missing
            time.sleep(0.2)
        again = gun.ask(event(0, *kept[0]))
        assert again.status in {200, 409}  # the same id: nothing is counted twice


def _bought(gun, user, item):
    told = gun.ask(Call("GET", f"/v1/features/{user.replace(' ', '%20')}")).told
    return item in told["views"]["user_history"]["values"].get("item_ids", [])
