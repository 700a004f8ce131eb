"""A route read by one model answers, refuses and documents as FastAPI's own."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from recsys.service.edge import answer_errors
from recsys.service.routes.direct import DirectRoute
from recsys.service.schemas import Category, Id, Items, Length


async def caller(request: Request) -> None:
    if request.headers.get("x-refused"):
        raise HTTPException(403, "not you")


async def shop(request: Request) -> str:
    return request.url.hostname


def app_of(route: type[APIRoute]) -> TestClient:
    router = APIRouter(prefix="/v1", dependencies=[Depends(caller)], route_class=route)

    @router.get("/lists/{user}")
    async def lists(
        request: Request,
        shop: Annotated[str, Depends(shop)],
        user: Annotated[Id, Path(description="whose")],
        k: Annotated[Length, Query(description="how many")] = 10,
        exclude: Annotated[Items, Query(description="not these")] = [],  # noqa: B006
        category: Annotated[Category | None, Query(examples=["Kitchen"])] = None,
        in_stock: Annotated[bool, Query()] = False,
    ) -> JSONResponse:
        told = {"k": k, "exclude": exclude, "category": category, "in_stock": in_stock}
        return JSONResponse(told | {"shop": shop, "user": user, "path": request.url.path})

    @router.post("/lists")
    async def ordered(items: Annotated[Items, Body(embed=True)]) -> JSONResponse:
        return JSONResponse(items[::-1])

    app = FastAPI()
    app.include_router(router)
    answer_errors(app)
    return TestClient(app)


DIRECT, OURS = app_of(DirectRoute), app_of(APIRoute)


@pytest.mark.parametrize(
    "asked",
    [
        "u1",
        "u1?k=5&exclude=a&exclude=b&category=Skin%20Care&in_stock=yes",
        "a%20b%C3%A9?k=5.0",
        "u1?k=1&k=2",
        "u1?user=u2&more=1",
        "u1?in_stock=1&exclude=",
        "u1?k=0&in_stock=perhaps",
        "u1?k=",
        "u1?k=many",
        "u1?category=",
        "%00?k=0",
        "x" * 257,
        "u1?" + "&".join(f"exclude={n}" for n in range(201)),
    ],
)
def test_the_same_question_has_the_same_answer(asked):
    direct, ours = (app.get(f"/v1/lists/{asked}") for app in (DIRECT, OURS))
    assert direct.status_code == ours.status_code
    assert direct.json() == ours.json()
    assert ours.status_code == (200 if ours.json().get("user") else 422)


def test_who_may_not_ask_is_told_so_before_what_is_wrong():
    direct, ours = (
        app.get("/v1/lists/u1?k=0", headers={"x-refused": "1"}) for app in (DIRECT, OURS)
    )
    assert (direct.status_code, direct.json()) == (ours.status_code, ours.json())
    assert direct.status_code == 403


def test_other_methods_and_bodies_are_answered_as_ever():
    for app in (DIRECT, OURS):
        assert app.post("/v1/lists/u1").status_code == 405
        assert app.post("/v1/lists", json={"items": ["a", "b"]}).json() == ["b", "a"]
        assert app.post("/v1/lists", json={"items": 3}).status_code == 422


def test_both_are_documented_alike():
    assert DIRECT.get("/openapi.json").json() == OURS.get("/openapi.json").json()
