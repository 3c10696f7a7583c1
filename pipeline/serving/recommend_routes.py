"""The routes of recommendations with titles, and of the page's other requests."""

from typing import Annotated, Any

import fastapi
import pydantic
from starlette.responses import Response

from pipeline.serving.errors import RequestError
from pipeline.serving.json_answers import json_response
from pipeline.serving.service import Service

_MAX_FOUND = 50


class Item(pydantic.BaseModel):
    """One item; `score` is a probability, or a cosine between similar items."""

    item_id: str
    title: str
    score: float


class Items(pydantic.BaseModel):
    """A list of items, the best first."""

    version: int
    known: bool
    items: list[Item]


class Ask(pydantic.BaseModel):
    """Whom to recommend to: exactly one of `user`, `users` and `items`.

    Attributes:
        user: a raw user id.
        users: several raw user ids; the answer has `lists` in the same order.
        items: a basket of raw item ids, for a user whom the model does not know.
        k: how many items.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    user: str | None = None
    users: list[str] | None = None
    items: list[str] | None = None
    k: int = 10

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Ask":
        given = [n for n in ("user", "users", "items") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"there must be exactly one of `user`, `users` and `items`; got {given}"
            )
        return self


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": Ask.model_json_schema(),
                "example": {"items": ["50", "181"], "k": 10},
            }
        },
    }
}
K = Annotated[int, fastapi.Query(description="How many items.")]


def router(service: Service) -> fastapi.APIRouter:
    """Returns the routes /recommend, /similar, /history, /items and /users."""
    routes = fastapi.APIRouter(tags=["Recommendations"])
    _add_recommend(routes, service)
    _add_items(routes, service)
    return routes


def _add_recommend(routes: fastapi.APIRouter, service: Service) -> None:
    @routes.get("/recommend", response_model=Items)
    async def recommend(request: fastapi.Request, user: str, k: K = 10) -> Response:
        """Answers a user's best items; an unknown user gets the most popular ones."""
        return await _for_users(service, request, [user], k, single=True)

    @routes.post("/recommend", response_model=Items, openapi_extra=_BODY)
    async def recommend_to(request: fastapi.Request) -> Response:
        """Answers the best items of several users, or of a basket of items."""
        try:
            ask = Ask.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            raise RequestError(400, _explain(error)) from None
        if ask.items is not None:
            return await _for_basket(service, request, ask.items, ask.k)
        users = ask.users if ask.user is None else [ask.user]
        return await _for_users(
            service, request, users or [], ask.k, single=ask.user is not None
        )


async def _for_users(
    service: Service, request: Any, users: list[str], k: int, *, single: bool
) -> Response:
    service.check_k(k)
    _check_size(service, users, "users")
    model = service.model(request)

    def compute() -> Response:
        ids, scores = model.recommend(_sendable(users), k)
        lists = [
            {
                "known": model.knows_user(user),
                "items": service.items(*row),
            }
            for user, *row in zip(users, ids, scores, strict=True)
        ]
        strangers = sum(not part["known"] for part in lists)
        service.metrics.strangers.labels("user", "popular").inc(strangers)
        head = {"version": model.version}
        if single:
            return json_response(head | lists[0])
        named = [{"user": u} | found for u, found in zip(users, lists, strict=True)]
        return json_response(head | {"lists": named})

    return await service.in_thread("recommend", compute)


async def _for_basket(
    service: Service, request: Any, basket: list[str], k: int
) -> Response:
    service.check_k(k)
    _check_size(service, basket, "items")
    model = service.model(request)

    def compute() -> Response:
        ids, scores = model.recommend_for_items([_sendable(basket)], k)
        unknown = [item for item in basket if not model.knows_item(item)]
        known = len(unknown) < len(basket)
        strangers = service.metrics.strangers
        strangers.labels("basket", "history" if known else "popular").inc()
        strangers.labels("item", "left out").inc(len(unknown))
        return json_response(
            {
                "version": model.version,
                "known": known,
                "unknown_items": unknown,
                "items": service.items(ids[0], scores[0]),
            }
        )

    return await service.in_thread("recommend_for_items", compute)


def _add_items(routes: fastapi.APIRouter, service: Service) -> None:
    @routes.get("/similar", response_model=Items)
    async def similar(request: fastapi.Request, item: str, k: K = 10) -> Response:
        """Answers the items most similar to an item."""
        service.check_k(k)
        model = service.model(request)

        def compute() -> Response:
            ids, scores = model.similar_items(_sendable([item]), k)
            return json_response(
                {
                    "version": model.version,
                    "known": model.knows_item(item),
                    "items": service.items(ids[0], scores[0]),
                }
            )

        return await service.in_thread("similar_items", compute)

    @routes.get("/history")
    async def history(request: fastapi.Request, user: str, k: K = 50) -> Response:
        """Answers the items of a user, the latest first; they are not recommended."""
        service.check_k(k)
        model = service.model(request)
        (sendable,) = _sendable([user])
        items = await service.in_thread("history", lambda: model.history(sendable))
        return json_response(
            {
                "version": model.version,
                "known": model.knows_user(user),
                "total": len(items),
                "items": [
                    {"item_id": item, "title": service.titles.get(item)}
                    for item in items[:k]
                ],
            }
        )

    @routes.get("/items")
    async def items(request: fastapi.Request, q: str = "", limit: int = 10) -> Response:
        """Answers items whose title has the words of `q`, the most popular first."""
        model = service.model(request)
        limit = min(max(limit, 1), _MAX_FOUND)
        found = await service.in_thread(
            "search", lambda: service.titles.search(q, model.item_ids, limit)
        )
        return json_response(
            [{"item_id": item, "title": service.titles.get(item)} for item in found]
        )

    @routes.get("/users")
    async def users(request: fastapi.Request, q: str = "", limit: int = 10) -> Response:
        """Answers user ids that begin with `q`."""
        model = service.model(request)
        limit = min(max(limit, 1), _MAX_FOUND)

        def search() -> list[str]:
            found = (user for user in model.user_ids if user.startswith(q))
            return [user for user, _ in zip(found, range(limit), strict=False)]

        return json_response(await service.in_thread("search", search))


def _check_size(service: Service, values: list[str], name: str) -> None:
    if not values:
        raise RequestError(400, f"`{name}` must have one entry or more.")
    if len(values) > service.settings.max_batch:
        raise RequestError(
            413,
            f"`{name}` has {len(values)} entries; at most "
            f"{service.settings.max_batch} are taken.",
        )


def _sendable(ids: list[str]) -> list[str]:
    """Returns the ids if TensorFlow accepts them; a lone surrogate is refused."""
    return [text.encode(errors="replace").decode() for text in ids]


def _explain(error: pydantic.ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"`{field}`: {message}" if field else message)
    return "; ".join(problems) + "."
