"""Pages about a shopper or an item: find, read, compare, imagine."""

from typing import Annotated
from urllib.parse import quote

from recsys.errors import TailorError, extra
from recsys.explaining import document, explained
from recsys.service import schemas
from recsys.service.console.adapter import Effect, effect_of
from recsys.service.console.backstage import Backstage, backstage
from recsys.service.console.errors import PageRoute
from recsys.service.console.finding import items_with
from recsys.service.console.forms import Form
from recsys.service.console.history import Item
from recsys.service.console.order import Line
from recsys.service.console.render import page
from recsys.service.console.scene import Scene, values_of
from recsys.service.console.session import reader
from recsys.service.console.shelf import shelf_of
from recsys.service.console.story import story_of
from recsys.service.console.whatif import Change, WhatIf, what_if
from recsys.service.errors import unknown_item, unknown_shopper, wrong
from recsys.shoppers import Shoppers

with extra("serve"):
    from fastapi import APIRouter, Depends, Query, Request, Response
    from fastapi.responses import RedirectResponse

router = APIRouter(route_class=PageRoute, dependencies=[Depends(reader)])

Stage = Annotated[Backstage, Depends(backstage)]
Id = Annotated[schemas.Id, Query()]
Words = Annotated[str, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@router.get("")
def find(request: Request, stage: Stage, q: Words = "") -> Response:
    """Find a shopper."""
    with stage.scene() as scene:
        directory, query = stage.directory(scene), q.strip()
        found, total = directory.starting(query) if query else ([], 0)
        return page(
            request,
            "find.html",
            release=scene.snapshot.release,
            query=query,
            found=found,
            total=total,
            lately=directory.lately(),
            shoppers=len(directory),
        )


@router.get("/anybody")
def anybody(stage: Stage) -> Response:
    """Go to a shopper by chance."""
    with stage.scene() as scene:
        user = stage.directory(scene).any()
    where = f"/console/shopper?id={quote(user, safe='')}" if user else "/console"
    return RedirectResponse(where, 303)


@router.get("/shopper")
def shopper(request: Request, stage: Stage, id: Id) -> Response:  # noqa: A002 - as the address says
    """Tell the story of a shopper."""
    with stage.scene() as scene:
        story = story_of(scene, id)
        return page(request, "shopper.html", release=scene.snapshot.release, story=story)


@router.get("/why")
def why(request: Request, stage: Stage, id: Id, item: Id) -> Response:  # noqa: A002
    """Explain one item to one shopper."""
    with stage.scene() as scene:
        at = scene.catalogue.index.get(item)
        if at is None:
            raise unknown_item(item)
        told = document(*explained(scene.recommender, _known(scene, id), at))
        return page(
            request,
            "why.html",
            release=scene.snapshot.release,
            user=id,
            item=Item.at(scene.catalogue, at),
            told=told,
            pool=scene.recommender.options.pool,
        )


def _known(scene: Scene, user: str) -> Shoppers:
    """A shopper with a history."""
    row, now = scene.ask(user)
    found = scene.shopper(user, values_of(row), now)
    if not found.lengths[0]:
        raise unknown_shopper(user)
    return found


@router.get("/adapter")
def adapter(request: Request, stage: Stage, id: Id, other: Words = "") -> Response:  # noqa: A002
    """Show a list with the shopper's adapter, without one and with another's."""
    with stage.scene() as scene:
        other = other.strip() or stage.directory(scene).another(id) or ""
        effect, missing = _effect(scene, id, other)
        return page(
            request,
            "adapter.html",
            release=scene.snapshot.release,
            user=id,
            effect=effect,
            missing=missing,
            left_out=scene.left_out,
            lines=[
                Line(row.item.title, (row.other, row.without, row.own), kept=True)
                for row in (effect.rows if effect else ())
            ],
        )


def _effect(scene: Scene, user: str, other: str) -> tuple[Effect | None, str]:
    """Compare, or say why not."""
    if not other or other == user:
        return None, "Name another shopper to compare with."
    hers, others = _known(scene, user), _known(scene, other)
    try:
        effect = effect_of(scene.with_model, hers, others, scene.k)
    except TailorError as error:
        return None, f"{error.what} ({error.fix})"
    return effect, "Nothing is known of the taste of one of the two, so there is no adapter."


@router.get("/what-if")
def imagine(request: Request, stage: Stage, id: Id) -> Response:  # noqa: A002
    """Begin to imagine."""
    with stage.scene() as scene:
        return _imagined(request, scene, what_if(scene, id, Change()))


@router.post("/what-if")
def imagined(request: Request, stage: Stage, form: Form) -> Response:
    """Compute the list anew with what is imagined; nothing is saved."""
    user = form.get("id", [""])[0][:256]
    if not user:
        raise wrong("no shopper is named")
    query, change = form.get("q", [""])[0].strip()[:256], _change(form)
    with stage.scene() as scene:
        told = what_if(scene, user, change, stage.encoder() if change.profile else None)
        return _imagined(request, scene, told, query)


def _change(form: dict[str, list[str]]) -> Change:
    """What was filled in, and which button was pressed."""
    items = form.get("add", [])
    act, _, item = form.get("do", ["compute"])[0].partition(":")
    if act == "add":
        items = [*items, item]
    elif act == "remove":
        items = [each for each in items if each != item]
    return Change(tuple(dict.fromkeys(items)), form.get("profile", [""])[0])


def _imagined(request: Request, scene: Scene, told: WhatIf, query: str = "") -> Response:
    items, total = items_with(scene.catalogue, query, 8)
    return page(
        request,
        "whatif.html",
        release=scene.snapshot.release,
        user=told.user,
        told=told,
        edited=told.change.profile,
        query=query,
        items=[item for item in items if item.id not in told.change.items],
        total=total,
    )


@router.get("/items")
def items(request: Request, stage: Stage, q: Words = "") -> Response:
    """Find an item."""
    with stage.scene() as scene:
        found, total = items_with(scene.catalogue, q.strip())
        return page(
            request,
            "items.html",
            release=scene.snapshot.release,
            query=q.strip(),
            items=found,
            total=total,
            size=len(scene.catalogue),
        )


@router.get("/item")
def item(request: Request, stage: Stage, id: Id) -> Response:  # noqa: A002
    """Tell of an item."""
    with stage.scene() as scene:
        shelf = shelf_of(scene, id)
        return page(request, "item.html", release=scene.snapshot.release, shelf=shelf)
