"""Rows as a file for a spreadsheet, in which nothing that a visitor wrote becomes a formula."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
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
    """For a ModelAdmin: an action that gives the chosen rows as CSV, to who may see them.

    `download_columns` has a title and what stands below it for each column; `download_rows` may
    fetch what they need at once.
    """

    download_columns: Mapping[str, Column]

    def download_rows(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset

    @admin.action(description=_("Download as CSV"), permissions=["view"])
    def download_csv(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        count = queryset.count()
        if count > MOST:
            text = _("At most %(most)s rows fit into one file; these are %(count)s. Filter first.")
            messages.error(request, text % {"most": f"{MOST:,}", "count": f"{count:,}"})
            return None
        rows = self.download_rows(request, queryset)
        written = io.StringIO()
        writer = csv.writer(written, quoting=csv.QUOTE_ALL)
        writer.writerow(self.download_columns)
        for row in rows.iterator(chunk_size=500):
            writer.writerow([cell(column(row)) for column in self.download_columns.values()])
        name = f"{queryset.model._meta.model_name}s-{timezone.localdate():%Y-%m-%d}.csv"
        _note(request, queryset.model, count)
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        response = HttpResponse(
            "\ufeff" + written.getvalue(), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _note(request: HttpRequest, model: type, count: int) -> None:
    """That somebody took them along, in the admin's log: who, when, how many, and nothing else."""
    LogEntry.objects.create(
        user_id=request.user.pk,  # type: ignore[misc]  # an action has one
        content_type_id=get_content_type_for_model(model).pk,
        object_repr=f"{count} rows",
        action_flag=CHANGE,
        change_message="Downloaded as CSV",
    )
