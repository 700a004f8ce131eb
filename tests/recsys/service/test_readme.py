"""What the README tells to type is typed, at the tiny shop's own shopper and items."""

import re
import shlex
from pathlib import Path

import pytest

README = Path(__file__).parents[3] / "README.md"
BASE = "http://127.0.0.1:8000"
COMMANDS = re.findall(r"^curl .*$", README.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_examples():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_every_curl_command_of_the_readme_is_answered(command, client, users, snapshot):
    words = shlex.split(command)[1:]
    url = next(word for word in words if word.startswith(BASE)).removeprefix(BASE)
    body = words[words.index("-d") + 1] if "-d" in words else ""
    headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
    told_items = dict.fromkeys(re.findall(r"\bB0[A-Z0-9]{8}\b", url + body))
    own = snapshot.catalogue.item_ids
    for theirs, ours in [
        ("AEIQYH6J3N347SZPCHDUVKT7HXMR", users[-1]),
        *zip(told_items, own, strict=False),
    ]:
        url, body = url.replace(theirs, ours), body.replace(theirs, ours)
    told = client.request("POST" if body else "GET", url, content=body or None, headers=headers)
    assert told.status_code in {200, 201}, told.text
