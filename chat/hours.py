"""When somebody of the staff can come: office hours as a person writes them. Pure.

A line a span, `Mon-Fri 9:00-17:30` or `Sat 10-14`; no line at all means always.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"([a-z]{3})(?:\s*[-–]\s*([a-z]{3}))?\s+"
    r"(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?",
    re.IGNORECASE,
)
MIDNIGHT = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """Of one weekday, Monday 0; in minutes after midnight, the end not within."""

    day: int
    start: int
    end: int


def parse(text: str) -> Sequence[Span]:
    """The spans of `text`, in order; raises ValueError with the line that says none."""
    spans: list[Span] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        found = _SPAN.fullmatch(line)
        days = _days(found[1], found[2] or found[1]) if found else None
        if not found or days is None:
            raise ValueError(line)
        start, end = _minutes(found[3], found[4]), _minutes(found[5], found[6])
        if start is None or end is None or start >= end:
            raise ValueError(line)
        spans += [Span(day, start, end) for day in days]
    return sorted(spans, key=lambda span: (span.day, span.start))


def _days(first: str, last: str) -> Sequence[int] | None:
    try:
        start, end = DAYS.index(first.lower()), DAYS.index(last.lower())
    except ValueError:
        return None
    return [day % 7 for day in range(start, end + 1 if start <= end else end + 8)]


def _minutes(hour: str, minute: str | None) -> int | None:
    value = int(hour) * 60 + int(minute or 0)
    return value if value <= MIDNIGHT and int(minute or 0) < 60 else None


def next_opening(text: str, zone: str, now: datetime) -> datetime | None:
    """When somebody can come again, on that zone's clock; None where they can at `now`."""
    try:
        spans, local = parse(text), now.astimezone(ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):  # whatever was written past the form
        return None
    minute = local.hour * 60 + local.minute
    if any(s.day == local.weekday() and s.start <= minute < s.end for s in spans):
        return None
    for ahead in range(8):
        day = local.date() + timedelta(days=ahead)
        for span in spans:
            start = datetime.combine(day, time(span.start // 60, span.start % 60), local.tzinfo)
            if span.day == day.weekday() and start > local:
                return start
    return None
