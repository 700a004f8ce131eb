"""Titles, names, profiles and errors are text on every page, whatever they hold."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from recsys.recommend import Options, Recommender
from recsys.service.console.backstage import SEATS, Backstage
from recsys.service.console.features import Panel, Profile
from recsys.service.console.history import purchases_of
from recsys.service.console.order import order_of
from recsys.service.console.render import page
from recsys.service.console.story import Story
from recsys.service.errors import ServiceError
from tests.recsys.shop import AS_OF, item_name, make_shop, make_shoppers

NASTY = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
REQUEST = SimpleNamespace(url=SimpleNamespace(path="/console/shopper"), cookies={})


@pytest.fixture(scope="module")
def recommender(tmp_path_factory):
    """A shop whose titles, brands and categories are an attack; no ranker."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    hostile = {
        "titles": [NASTY] * len(shop.catalogue),
        "brands": [NASTY] * len(shop.catalogue),
        "categories": [(NASTY, NASTY)] * len(shop.catalogue),
    }
    shelf = replace(shop.shelf, catalogue=replace(shop.catalogue, **hostile))
    return Recommender(shelf, shop.sources, options=Options(pool=10))


def story(recommender, histories):
    shopper = make_shoppers(recommender.shelf.catalogue, histories)
    return Story(
        user=NASTY,
        now=AS_OF,
        found=NASTY,
        known=True,
        panels=[Panel(NASTY, NASTY, NASTY, False, NASTY, None, None, [(NASTY, NASTY)])],
        purchases=purchases_of(shopper, recommender.shelf.catalogue),
        kinds=[(NASTY, 2)],
        profile=Profile(*[NASTY] * 6),
        profile_missing=NASTY,
        order=replace(order_of(recommender, shopper, 5), failures=(NASTY,)),
    )


def test_a_story_of_attacks_is_a_page_of_text(recommender):
    told = story(recommender, [[item_name(0, 3), item_name(1, 4)]])
    text = page(REQUEST, "shopper.html", story=told).body.decode()
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "49" not in text.replace("{{ 7 * 7 }}", "")
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20


def test_a_list_of_retrieval_alone_has_no_slope(recommender):
    text = page(REQUEST, "shopper.html", story=story(recommender, [["Coffee-3"]])).body.decode()
    assert 'class="slope"' not in text
    assert "not ranked" in text


def test_an_error_is_text_as_well():
    content = {"heading": NASTY, "what": NASTY, "fix": NASTY, "request_id": NASTY}
    text = page(REQUEST, "error.html", status=503, **content).body.decode()
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_pages_beyond_the_seats_are_sent_away():
    backstage = Backstage(None, None, None)
    for _ in range(SEATS):
        assert backstage._seats.acquire(blocking=False)
    with pytest.raises(ServiceError) as caught, backstage.scene():
        pass
    assert (caught.value.status, caught.value.code) == (429, "too_many_pages")
