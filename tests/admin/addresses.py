"""Every address of the admin, out of its URLs: so that a new page is tried like all others."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.urls import URLPattern

MODELS = [model._meta.label_lower for model in admin.site._registry]


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    for each in admin.site.get_urls() if patterns is None else patterns:
        route = f"{prefix}{each.pattern}"
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from routes(each.url_patterns, route)


def addresses(rows: Mapping[str, Any]) -> dict[str, str]:
    """Each route with an address that it answers; `rows` names a row of each of `MODELS`."""
    return {route: f"/admin/{_filled(route, rows)}" for route in routes()}


def _filled(route: str, rows: Mapping[str, Any]) -> str:
    if route.startswith("^(?P<app_label>"):
        return "chat/"
    if route.endswith("(?P<url>.*)$"):
        return "nothing-here/"
    app, _, rest = route.partition("/")
    row = rows.get(f"{app}.{rest.partition('/')[0]}", 1)
    values = {"number": 1, "seq": 1, "content_type_id": 1}
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values.get(found[1], row)), route)
