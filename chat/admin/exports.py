"""Rows as a file for a spreadsheet, in which nothing that a visitor wrote becomes a formula."""

import csv
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MOST = 10_000  # rows of one file
LONGEST = 32_000  # UTF-16 units of a cell; spreadsheets cut or refuse what is longer

# What a formula begins with, in wide letters too, where a cell or a part of it may begin: the
# program that opens the file may part cells and rows at other signs than commas. Before it may
# stand what is not seen.
_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
_UNSEEN += r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff"
_FORMULA = re.compile(rf"(^|[\r\n\t;,|\"'])([{_UNSEEN}]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_BROKEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # what XML, and so a spreadsheet, can't hold


def cell(value: Any) -> str:
    """A value as it may stand in a cell: its text, with `'` before what would be a formula."""
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    text = _BROKEN.sub(" ", "" if value is None else str(value))
    if len(text) > LONGEST // 2:
        half = text.encode("utf-16-le", "replace")[: LONGEST * 2]
        text = half.decode("utf-16-le", "ignore")
    return _FORMULA.sub(r"\1\2'", text)


Column = Callable[[Any], Any]


class Downloads:
    """For a ModelAdmin: actions that give the chosen rows as a file, to who may see them.

    `download_columns` has a title and what stands below it for each column; `download_rows` may
    fetch what they need at once.
    """

    download_columns: Mapping[str, Column]
    download_right = "view"  # what it takes

    def has_download_permission(self, request: HttpRequest) -> bool:
        opts = self.opts  # type: ignore[attr-defined]
        right = f"{opts.app_label}.{self.download_right}_{opts.model_name}"
        return request.user.has_perm(right)

    def download_rows(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset

    @admin.action(description=_("Download as CSV"), permissions=["download"])
    def download_csv(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        if not self._fits(request, queryset, "CSV"):
            return None
        rows = self.download_rows(request, queryset).iterator(chunk_size=500)
        written = _Line()
        writer = csv.writer(written, quoting=csv.QUOTE_ALL)

        def lines() -> Iterator[str]:
            # The mark at the beginning tells spreadsheets that it is UTF-8.
            writer.writerow(self.download_columns)
            yield "\ufeff" + written.text
            for row in rows:
                writer.writerow([cell(column(row)) for column in self.download_columns.values()])
                yield written.text

        return _file(request, lines(), "text/csv; charset=utf-8", queryset.model, "csv")

    @admin.action(description=_("Download as JSON lines"), permissions=["download"])
    def download_lines(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        """An object a line, values as they are: for programs, which know no formulas."""
        if not self._fits(request, queryset, "JSON lines"):
            return None
        rows = self.download_rows(request, queryset).iterator(chunk_size=500)
        columns = self.download_columns.items()
        lines = (
            json.dumps({name: plain(column(row)) for name, column in columns}, ensure_ascii=False)
            for row in rows
        )
        texts = (f"{line}\n" for line in lines)
        return _file(request, texts, "application/jsonl", queryset.model, "jsonl")

    def _fits(self, request: HttpRequest, queryset: QuerySet, kind: str) -> bool:
        """Whether that many fit into a file; then it stands in the log that somebody takes them."""
        count = queryset.order_by().values("pk")[: MOST + 1].count()
        if count > MOST:
            text = _("At most %(most)s rows fit into one file; these are more. Filter first.")
            messages.error(request, text % {"most": f"{MOST:,}"})
            return False
        _note(request, queryset.model, count, kind)
        return True


class _Line:
    """Takes what is written of one line, and forgets what was there before."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers and truths as they are, times by ISO 8601, else as text."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _file(
    request: HttpRequest, lines: Iterator[str], kind: str, model: Any, ending: str
) -> HttpResponseBase:
    """Sent as it is read: of a long file no more than some rows is in memory."""
    sent = _asked_for(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(sent, content_type=kind)
    name = f"{model._meta.model_name}s-{timezone.localdate():%Y-%m-%d}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


async def _asked_for(lines: Iterator[str]) -> AsyncIterator[str]:
    """A bit at a time, in the request's own thread; Django would gather it all first."""
    while text := await sync_to_async(lambda: "".join(islice(lines, 200)))():
        yield text


def _note(request: HttpRequest, model: type, count: int, kind: str) -> None:
    """That somebody took them along, in the admin's log: who, when, how many, and nothing else."""
    LogEntry.objects.create(
        user_id=request.user.pk,  # type: ignore[misc]  # an action has one
        content_type_id=get_content_type_for_model(model).pk,
        object_repr=f"{count} rows",
        action_flag=CHANGE,
        change_message=f"Downloaded as {kind}",
    )
