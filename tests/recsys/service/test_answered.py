"""Documents as they are sent: JSON that any reader takes, and an ETag of their bytes."""

import json
import math

from starlette.requests import Request

from recsys.service.routes.common import answered


def test_half_a_character_and_a_number_that_is_none_are_still_json():
    told = {"title": "caf\u00e9", "broken": "half \ud83d", "reason": None}
    read = json.loads(answered(told).body)
    assert read["title"] == "caf\u00e9"
    assert read["broken"].startswith("half ")
    assert json.loads(answered({"score": math.nan}).body) == {"score": None}


def asking(etag):
    return Request({"type": "http", "headers": [(b"if-none-match", etag.encode())]})


def test_what_the_caller_has_is_not_sent_again_until_it_changes():
    etag = answered({"items": [1]}, asking("")).headers["etag"]
    assert answered({"items": [1]}, asking(etag)).status_code == 304
    assert answered({"items": [2]}, asking(etag)).status_code == 200
