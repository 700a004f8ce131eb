"""The built-in shop: same bytes, the layout it claims, and what it planted can be found."""

import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import SampleError, TailorError
from recsys.sample import SampleReport, write

NAMES = {
    "reviews.jsonl.gz",
    "items.jsonl.gz",
    "truth.json",
    "truth_users.jsonl.gz",
    "truth_items.jsonl.gz",
}
START, END = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp() * 1000) for y in (2023, 2025))


def lines(path):
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def rows(path):
    return [json.loads(line) for line in lines(path)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Shop:
    """A written shop, read back with nothing but json, the truth's bad lines left out."""

    def __init__(self, folder: Path, report: SampleReport):
        self.folder, self.report = folder, report
        self.truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        self.users = {row["user_id"]: row for row in rows(folder / "truth_users.jsonl.gz")}
        self.planted = {row["item_id"]: row for row in rows(folder / "truth_items.jsonl.gz")}
        self.bad = {(row["file"], row["line"]): row["reason"] for row in self.truth["bad_rows"]}
        self.copies = {row["line"]: row["same_as"] for row in self.truth["duplicates"]}
        self.review_lines = lines(folder / "reviews.jsonl.gz")
        self.item_lines = lines(folder / "items.jsonl.gz")
        self.items = {row["parent_asin"]: row for row in self.good("items.jsonl.gz")}

    def good(self, file):
        text = self.review_lines if file.startswith("reviews") else self.item_lines
        return [json.loads(x) for n, x in enumerate(text, 1) if (file, n) not in self.bad]

    @cached_property
    def purchases(self):
        """(user, item, time) without the copies, by shopper and time."""
        found = [
            (row["user_id"], row["timestamp"], row["parent_asin"])
            for n, text in enumerate(self.review_lines, 1)
            if ("reviews.jsonl.gz", n) not in self.bad and n not in self.copies
            for row in [json.loads(text)]
        ]
        return [(user, item, time) for user, time, item in sorted(found)]

    @cached_property
    def histories(self):
        found = defaultdict(list)
        for user, item, time in self.purchases:
            found[user].append((item, time))
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    return Shop(folder, write(folder, users=1500, items=600, seed=7))


def complaint(line):
    """Why a line can't be a purchase, judged by the plain reading of the layout."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return "unreadable row"
    time = row.get("timestamp")
    checks = {
        "no user": not row.get("user_id"),
        "no item": not (row.get("parent_asin") or row.get("asin")),
        "no time": time is None,
        "time in the future": time is not None and time >= END,
        "time before 1995": time is not None and time < 788_918_400_000,
        "rating outside 1-5": not 1 <= row["rating"] <= 5,
    }
    return next((reason for reason, wrong in checks.items() if wrong), None)


def test_same_arguments_same_bytes(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, users=60, items=70, seed=3)
    write(tmp_path / "other", users=60, items=70, seed=4)
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert set(one) == NAMES
    assert one == two
    assert all(one[name] != other[name] for name in NAMES)
    for name in NAMES - {"truth.json"}:
        assert one[name][3] == 0  # gzip flags: no file name
        assert one[name][4:8] == bytes(4)  # no time


def test_same_bytes_whatever_the_hash_seed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from recsys.sample import write;"
        "write(Path(sys.argv[1]), users=60, items=70, seed=3)"
    )
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_writing_again_replaces_an_earlier_sample(tmp_path):
    write(tmp_path / "shop", users=60, items=70, seed=3)
    write(tmp_path / "shop", users=60, items=70, seed=4)
    write(tmp_path / "fresh", users=60, items=70, seed=4)
    assert contents(tmp_path / "shop") == contents(tmp_path / "fresh")


def test_an_interrupted_write_leaves_the_earlier_sample_whole(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    write(tmp_path, users=60, items=70, seed=3)
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, users=60, items=70, seed=4, progress=stop)
    assert contents(tmp_path) == before


def test_reviews_have_the_layout(shop):
    wanted = {
        "rating": float,
        "title": str,
        "text": str,
        "images": list,
        "asin": str,
        "parent_asin": str,
        "user_id": str,
        "timestamp": int,
        "helpful_vote": int,
        "verified_purchase": bool,
    }
    for row in shop.good("reviews.jsonl.gz"):
        assert {key: type(value) for key, value in row.items()} == wanted
        assert START <= row["timestamp"] < END
        assert 1 <= row["rating"] <= 5
        assert row["user_id"] in shop.users


def test_items_have_the_layout(shop):
    for row in shop.items.values():
        assert list(row) == [
            "main_category",
            "title",
            "average_rating",
            "rating_number",
            "features",
            "description",
            "price",
            "store",
            "categories",
            "details",
            "parent_asin",
        ]
        assert len(row["categories"]) == 3
        assert row["categories"][0] == row["main_category"]
        assert row["price"] in (None, "None") or row["price"] > 1
        assert row["store"] is None or row["title"] in (None, "") or row["store"] in row["title"]
    assert set(shop.items) == set(shop.planted)
    assert {type(row["price"]) for row in shop.items.values()} == {float, str, type(None)}


def test_bad_rows_are_where_the_truth_says_and_nowhere_else(shop):
    found = {
        ("reviews.jsonl.gz", n): reason
        for n, line in enumerate(shop.review_lines, 1)
        if (reason := complaint(line))
    }
    for n, line in enumerate(shop.item_lines, 1):
        if not line.startswith("{") or not line.endswith("}"):
            found["items.jsonl.gz", n] = "unreadable row"
    assert found == shop.bad
    assert len(set(found.values())) == 7


def test_counts_agree_with_the_files(shop):
    report = shop.report
    assert vars(report) == shop.truth["counts"]
    assert report.review_lines == len(shop.review_lines)
    assert report.item_lines == len(shop.item_lines)
    assert sum(report.bad_reviews.values()) == round(report.review_lines * 0.01)
    assert report.purchases == len(shop.purchases) == len(set(shop.purchases))
    assert report.purchases == sum(report.purchases_by_cause.values())
    assert report.purchases == pytest.approx(1500 * 12, rel=0.05)
    assert len(shop.histories) == report.users == len(shop.users) == 1500
    assert all(shop.review_lines[a - 1] == shop.review_lines[b - 1] for a, b in shop.copies.items())
    untitled = sorted(item for item, row in shop.items.items() if not row["title"])
    assert untitled == shop.truth["items_without_title"]
    assert len(untitled) == report.items_without_title > 0
    strangers = [item for _, item, _ in shop.purchases if item not in shop.items]
    assert len(strangers) == report.unknown_item_purchases > 0
    assert set(strangers) <= set(shop.truth["unknown_items"])


def test_a_shoppers_times_are_distinct_and_some_share_a_day(shop):
    same_day = pairs = 0
    for history in shop.histories.values():
        times = [time for _, time in history]
        assert len(set(times)) == len(times)
        days = [time // 86_400_000 for time in times]
        same_day += sum(a == b for a, b in pairwise(days))
        pairs += len(days) - 1
    assert 0.1 < same_day / pairs < 0.4


def test_neither_ids_nor_file_order_carry_information(shop):
    bought = Counter(item for _, item, _ in shop.purchases)
    by_id = np.array([bought[item] for item in sorted(shop.items)])
    by_file = np.array([bought[row["parent_asin"]] for row in shop.good("items.jsonl.gz")])
    times = np.array([row["timestamp"] for row in shop.good("reviews.jsonl.gz")])
    for values in (by_id, by_file, times):
        assert abs(np.corrcoef(np.arange(len(values)), values)[0, 1]) < 0.12


def test_favourite_types_are_bought_far_above_their_base_rate(shop):
    kinds = {item: row["type"] for item, row in shop.planted.items()}
    base = Counter(kinds[item] for _, item, _ in shop.purchases if item in kinds)
    total = sum(base.values())
    inside = expected = count = 0
    for user, history in shop.histories.items():
        planted = shop.users[user]
        if planted["drift"]:
            continue
        favourites = set(planted["favourites"])
        mine = [kinds[item] for item, _ in history if item in kinds]
        inside += sum(kind in favourites for kind in mine)
        expected += len(mine) * sum(base[kind] for kind in favourites) / total
        count += len(mine)
    assert inside / count > 0.4
    assert inside > 3 * expected


def test_taste_moves_where_drift_was_planted(shop):
    kinds = {item: row["type"] for item, row in shop.planted.items()}
    histories, new = shop.histories, {False: [], True: []}
    for user, planted in shop.users.items():
        if planted["drift"]:
            turn = datetime.fromisoformat(planted["drift"]["at"]).timestamp() * 1000
            fresh = set(planted["drift"]["favourites"]) - set(planted["favourites"])
            for item, time in histories[user]:
                new[time >= turn].append(kinds.get(item) in fresh)
    assert 0.15 < np.mean([row["drift"] is not None for row in shop.users.values()]) < 0.35
    assert np.mean(new[True]) > 3 * np.mean(new[False])


def test_devices_are_followed_by_their_own_refills(shop):
    refill = {i: row["then"] for i, row in shop.planted.items() if row["kind"] == "refill"}
    owners, others, with_device, without = 0, 0, 0, 0
    for history in shop.histories.values():
        mine = {item for item, _ in history}
        for device, wanted in refill.items():
            if device in mine:
                owners, with_device = owners + 1, with_device + (wanted in mine)
            else:
                others, without = others + 1, without + (wanted in mine)
    assert owners > 100
    assert with_device / owners > 0.5
    assert with_device / owners > 50 * without / others
    assert all(shop.planted[a]["brand"] == shop.planted[b]["brand"] for a, b in refill.items())


def test_used_up_items_come_back_after_their_interval(shop):
    ratios = []
    for history in shop.histories.values():
        last = {}
        for item, time in history:
            if item in last:
                every = shop.planted[item]["every_days"]
                assert every is not None  # what lasts is bought once
                ratios.append((time - last[item]) / 86_400_000 / every)
            last[item] = time
    assert 0.1 < len(ratios) / len(shop.purchases) < 0.35
    assert 0.8 < np.median(ratios) < 1.25


def test_seasons_show(shop):
    month = defaultdict(Counter)
    for _, item, time in shop.purchases:
        if item in shop.planted:
            kind = shop.planted[item]["type"]
            month[kind][datetime.fromtimestamp(time / 1000, UTC).month] += 1
    tents = month["Tents"] + month["Sunscreens"]
    games = month["Board Games"] + month["Building Sets"]
    assert sum(tents[m] for m in (5, 6, 7, 8)) > 2 * sum(tents[m] for m in (10, 11, 12, 1))
    assert games[12] > 2 * games[6]


def test_nothing_is_bought_before_its_release(shop):
    for _, item, time in shop.purchases:
        if item in shop.planted:
            out = datetime.fromisoformat(shop.planted[item]["released"]).timestamp() * 1000
            assert time >= out


def test_planted_next_purchases_lie_after_the_window(shop):
    nexts = [row["next"] for row in shop.users.values()]
    assert np.mean([bool(row) for row in nexts]) > 0.4
    for row in nexts:
        times = [datetime.fromisoformat(purchase["time"]) for purchase in row]
        assert times == sorted(times)
        assert len(row) <= 5
        assert all(time.year == 2025 for time in times)
        assert all(purchase["item_id"] in shop.items for purchase in row)


def test_knowing_the_shopper_beats_popularity(shop):
    """The last purchase, over the whole catalogue: own types and brands, and known links."""
    ids = sorted(shop.items, key=lambda item: json.dumps(shop.planted[item]))
    place = {item: n for n, item in enumerate(ids)}
    kinds, brands = (np.array([shop.planted[i][key] for i in ids]) for key in ("type", "brand"))
    histories = [[place[i] for i, _ in h if i in place] for h in shop.histories.values()]
    histories = [history for history in histories if len(history) > 2]
    count = np.bincount([item for h in histories for item in h[:-1]], minlength=len(ids))
    links = np.zeros((len(ids), len(ids)))
    for history in histories:
        np.add.at(links, (history[:-2], history[1:-1]), 1)
    hits = np.zeros(2)
    for *past, last in histories[:600]:
        same_kind = (kinds[past][:, None] == kinds).mean(axis=0)
        same_brand = (brands[past][:, None] == brands).mean(axis=0)
        taste = (count + 1) * (same_kind + 0.02) * (same_brand + 0.05)
        linked = links[past[-3:]].sum(axis=0)
        own = taste / taste.sum() + linked / (linked.sum() + 5)
        hits += [np.sum(score > score[last]) < 10 for score in (own, count)]
    assert hits[0] > 2 * hits[1]
    assert hits[0] < 0.7 * 600


@pytest.mark.parametrize(("users", "items"), [(1, 49), (50, 60), (3, 300)])
def test_small_shops(tmp_path, users, items):
    seen = []
    report = write(
        tmp_path, users=users, items=items, seed=0, progress=lambda *step: seen.append(step)
    )
    shop = Shop(tmp_path, report)
    assert len(shop.items) == items
    assert len(shop.users) == users == len(shop.histories)
    assert report.purchases == len(shop.purchases) >= users
    assert seen[-1] == (report.review_lines, report.review_lines)


def test_no_bad_rows_when_none_are_wanted(tmp_path):
    report = write(tmp_path, users=50, items=60, seed=0, purchases_per_user=1, bad_share=0)
    assert sum(report.bad_reviews.values()) == 0
    assert not any(map(complaint, lines(tmp_path / "reviews.jsonl.gz")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": 0},
        {"items": 48},
        {"seed": -1},
        {"purchases_per_user": 0.5},
        {"bad_share": 0.9},
        {"bad_share": -0.1},
        {"purchases_per_user": float("nan")},
    ],
)
def test_what_cannot_be_made_is_refused_with_a_way_out(tmp_path, wrong):
    with pytest.raises(SampleError, match=next(iter(wrong))) as refusal:
        write(tmp_path / "out", **({"users": 10, "items": 60, "seed": 0} | wrong))
    assert isinstance(refusal.value, TailorError)
    assert refusal.value.fix
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "reviews.jsonl.gz").write_text("mine")
    with pytest.raises(SampleError, match="other files"):
        write(tmp_path, users=10, items=60, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.jsonl.gz"]
    with pytest.raises(SampleError, match="not a folder"):
        write(tmp_path / "reviews.jsonl.gz", users=10, items=60, seed=0)
