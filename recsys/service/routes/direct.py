"""A route without a body whose path and query are read by one model.

FastAPI reads parameters one by one and solves dependencies as a graph, for every request. What is
declared, documented and refused stays as FastAPI has it (docs/decisions/0033).
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

from recsys.errors import extra

with extra("serve"):
    from fastapi import Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.params import Depends, Path
    from fastapi.routing import APIRoute
    from pydantic import BaseModel, ValidationError, create_model

Needs = Callable[[Request], Awaitable[Any]]


class DirectRoute(APIRoute):
    """Asks dependencies, which take the request alone, and the endpoint; nothing in between."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Take what FastAPI takes; a route with a body stays as it is."""
        super().__init__(path, endpoint, **options)
        if self.body_field is not None:
            return
        parameters = _Parameters(endpoint)
        callers: list[Needs] = [one.dependency for one in self.dependencies if one.dependency]

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            request = Request(scope, receive, send)
            for caller in callers:
                await caller(request)
            response = await endpoint(**await parameters.read(request))
            await response(scope, receive, send)

        self.app = answer


class _Parameters:
    """How an endpoint's parameters are read from a request."""

    def __init__(self, endpoint: Callable[..., Any]) -> None:
        self._needed: dict[str, Needs] = {}
        self._in_path: set[str] = set()
        fields: dict[str, Any] = {}
        for name, one in inspect.signature(endpoint, eval_str=True).parameters.items():
            told = get_args(one.annotation)
            depends: list[Any] = [part.dependency for part in told if isinstance(part, Depends)]
            if depends or one.annotation is Request:
                self._needed[name] = depends[0] if depends else _itself
                continue
            fields[name] = (one.annotation, ... if one.default is one.empty else one.default)
            if any(isinstance(part, Path) for part in told):
                self._in_path.add(name)
        self._told: type[BaseModel] = create_model(endpoint.__name__, **fields)
        kinds = {name: field.annotation for name, field in self._told.model_fields.items()}
        self._lists = {name for name, kind in kinds.items() if get_origin(kind) is list}

    async def read(self, request: Request) -> dict[str, Any]:
        """The endpoint's arguments, or what is wrong with the first that is."""
        given = dict(request.path_params)
        for name, value in parse_qsl(
            request.scope["query_string"].decode("latin-1"), keep_blank_values=True
        ):
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name not in self._in_path:
                given[name] = value
        try:
            arguments = dict(self._told.model_validate(given))
        except ValidationError as error:
            raise RequestValidationError(self._located(error)) from error
        for name, need in self._needed.items():
            arguments[name] = await need(request)
        return arguments

    def _located(self, error: ValidationError) -> list[Any]:
        return [
            {**one, "loc": ("path" if one["loc"][0] in self._in_path else "query", *one["loc"])}
            for one in error.errors()
        ]


async def _itself(request: Request) -> Request:
    return request
