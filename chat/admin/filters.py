"""Filters of the lists that Unfold has none for."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter


class Narrow(Paginator):
    """Sorts ids alone, and fetches the rows of a page by them: whole rows are long to sort."""

    rows: QuerySet[Any]  # as the list shows them, before any filter; see `FetchedById`

    def page(self, number: Any) -> Page:
        page = super().page(number)
        shown: Any = page.object_list
        ids = list(shown.values_list("pk", flat=True))
        found = self.rows.in_bulk(ids)
        page.object_list = [found[pk] for pk in ids if pk in found]
        return page


class FetchedById:
    """For a ModelAdmin whose paginator is `Narrow`."""

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **more: Any
    ) -> Paginator:
        if queryset.model is not self.model:  # type: ignore[attr-defined]
            return Paginator(queryset, *args, **more)  # of what the log has of one row
        made: Narrow = super().get_paginator(request, queryset, *args, **more)  # type: ignore[misc]
        made.rows = self.get_queryset(request).order_by()  # type: ignore[attr-defined]
        return made


class Bounded(Narrow):
    """Counts no further than somebody would turn pages: a list of a million rows stays fast."""

    MOST = 2000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: self.MOST].count())


class Period(DropdownFilter):
    """How long ago, by an indexed time of the row."""

    title = _("date")
    parameter_name = "period"
    field: str

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("0", _("Today")),
            ("1", _("Since yesterday")),
            ("7", _("Last 7 days")),
            ("30", _("Last 30 days")),
            ("90", _("Last 90 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        days = self.value()
        if days not in {"0", "1", "7", "30", "90"}:
            return queryset
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        return queryset.filter(**{f"{self.field}__gte": midnight - timedelta(days=int(days))})


class YesNo(DropdownFilter):
    """A question about the row, asked of the database by `condition`."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def condition(self) -> Any:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return queryset.filter(self.condition())
        if self.value() == "no":
            return queryset.filter(~self.condition())
        return queryset
