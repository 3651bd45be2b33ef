"""What visitors may ask for of what is theirs: to have it, and to have it gone."""

import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

from chat import exports, limits, turns
from chat.database import query
from chat.views import Problem, bearer, json_answer, route

logger = logging.getLogger(__name__)


@route("GET")
async def export(request: HttpRequest) -> HttpResponseBase:
    """All that is stored of the bearer, as a file."""
    identity, _site = await bearer(request)
    await _not_too_often("export", identity.visitor.hex)
    about = await query(exports.about, identity.visitor)
    response = StreamingHttpResponse(_written(about, identity.visitor), "application/json")
    response["Content-Disposition"] = 'attachment; filename="chat.json"'
    response["Cache-Control"] = "no-store"
    return response


async def _written(about: dict[str, Any], visitor: uuid.UUID) -> AsyncIterator[str]:
    """The file in pieces, none larger than a page of messages."""
    yield f'{{"visitor": {_json(about)},\n"conversations": ['
    comma = ""
    for id in await query(exports.conversations, visitor):
        head = await query(exports.conversation, visitor, id)
        if not head:  # it was erased meanwhile
            continue
        yield f'{comma}\n{_json(head)[:-1]}, "messages": ['
        comma, between, seq = ",", "", 0
        while page := await query(exports.messages, visitor, id, seq):
            yield between + ",\n".join(map(_json, page))
            between, seq = ",\n", page[-1]["seq"]
        yield "]}"
    yield "]}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@route("DELETE")
async def erase(request: HttpRequest) -> HttpResponse:
    """Erases the bearer. Asked again it answers the same: there is nothing of them."""
    identity, site = await bearer(request, erased=True)
    await _not_too_often("erase", limits.network(request.META.get("REMOTE_ADDR", "")))
    erased = await turns.erase(identity.visitor)
    if erased is not None:
        logger.info(
            "visitor erased", extra={"site": site.key, "by": "visitor", "what": str(erased)}
        )
    return json_answer({"erased": True})


async def _not_too_often(kind: str, key: str) -> None:
    wait = await limits.wait((kind, key))
    if wait:
        text = _("You have asked for that very often. Please wait a moment.")
        raise Problem(429, "rate_limited", text, retry_after=wait)
