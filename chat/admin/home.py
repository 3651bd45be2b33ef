"""The desk's first page: today at a glance, the last days as charts, and what needs attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat import health
from chat.admin.desk import OPEN_QUESTIONS
from chat.admin.health import HEALTH, PARTS
from chat.gaps import open_questions
from chat.models import Conversation, Lead, Message, Spend
from chat.money import dollars
from chat.staff import seen_by

DAYS = 14
SITES_SHOWN = 5  # with open questions
CHART = (280, 64)  # width and height of a chart, in its own units
GAP = 4  # between two bars


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of today, and where it leads."""

    name: str
    value: str
    link: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar a day, the newest on the right."""

    name: str
    total: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Concern:
    text: str
    link: str
    kind: str = "warn"


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Of what the member of staff may see; so many queries, however much there is."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    figures: list[Figure] = []
    charts: list[Chart] = []
    concerns: list[Concern] = []
    if request.user.has_perm("chat.view_conversation"):
        _talks(request, midnight, figures, charts, concerns)
    if request.user.has_perm("chat.view_lead"):
        rows = seen_by(request.user, Lead.objects.all())
        days = _by_day(rows, midnight)
        link = f"{reverse('admin:chat_lead_changelist')}"
        figures.insert(1, Figure(_("Leads today"), str(days.get(midnight.date(), 0)), link))
        charts.append(_chart(_("Leads"), days, midnight))
    if request.user.has_perm("chat.view_spend"):
        _money(midnight, figures, charts, concerns)
    if request.user.has_perms(OPEN_QUESTIONS):
        _questions(request, concerns)
    if request.user.has_perm(HEALTH):
        _ailing(request, concerns)
    context |= {"figures": figures, "charts": charts, "concerns": concerns}
    return context


def _talks(
    request: HttpRequest,
    midnight: datetime,
    figures: list[Figure],
    charts: list[Chart],
    concerns: list[Concern],
) -> None:
    talks = seen_by(request.user, Conversation.objects.all())
    page = reverse("admin:chat_conversation_changelist")
    days = _by_day(talks, midnight)
    waiting = talks.filter(waiting_since__isnull=False).count()
    said = seen_by(request.user, Message.objects.all(), "conversation__site")
    replies = said.filter(created__gte=midnight, role=Message.Role.AGENT).aggregate(
        first=Avg("first_word_ms"),
        good=Count("pk", filter=Q(feedback=1)),
        bad=Count("pk", filter=Q(feedback=-1)),
        failed=Count("pk", filter=Q(state=Message.State.FAILED)),
    )
    rated = replies["good"] + replies["bad"]
    first = f"{replies['first'] / 1000:.1f} s" if replies["first"] is not None else "–"
    happy = f"{round(100 * replies['good'] / rated)} %" if rated else "–"
    figures += [
        Figure(_("Conversations today"), str(days.get(midnight.date(), 0)), f"{page}?period=0"),
        Figure(_("Wait for a person"), str(waiting), f"{page}?waiting=yes"),
        Figure(_("First word, on average"), first),
        Figure(
            _("Found helpful"),
            happy,
            f"{page}?rated=yes",
            _("of %(count)s rated today") % {"count": rated} if rated else _("nobody rated today"),
        ),
    ]
    charts.append(_chart(_("Conversations"), days, midnight))
    if waiting:
        words = ngettext(
            "%(count)s visitor waits for a person.",
            "%(count)s visitors wait for a person.",
            waiting,
        )
        text = words % {"count": waiting}
        concerns.append(Concern(text, f"{page}?waiting=yes"))
    if replies["failed"]:
        words = ngettext(
            "%(count)s reply failed today.", "%(count)s replies failed today.", replies["failed"]
        )
        text = words % {"count": replies["failed"]}
        concerns.append(Concern(text, f"{page}?failed=yes&period=0", "bad"))
    if replies["bad"]:
        words = ngettext(
            "%(count)s answer was found unhelpful today.",
            "%(count)s answers were found unhelpful today.",
            replies["bad"],
        )
        text = words % {"count": replies["bad"]}
        concerns.append(Concern(text, f"{page}?rated=yes&period=0"))


def _questions(request: HttpRequest, concerns: list[Concern]) -> None:
    """What was asked in vain, by site where there are several."""
    found = open_questions(seen_by(request.user, Conversation.objects.all()))
    page = reverse("admin:chat_persona_gaps")
    for site, count in found[:SITES_SHOWN]:
        words = ngettext(
            "%(count)s question got no good answer.",
            "%(count)s questions got no good answer.",
            count,
        )
        text = words % {"count": count}
        text = f"{site}: {text}" if len(found) > 1 else text
        concerns.append(Concern(text, f"{page}?site={site.pk}"))


def _ailing(request: HttpRequest, concerns: list[Concern]) -> None:
    found = async_to_sync(health.parts)()
    if request.user.has_perm("chat.view_spend"):
        del found["budget"]  # which `_money` tells of
    ailing = [str(PARTS[name]) for name, part in found.items() if part["status"] == "degraded"]
    if ailing:
        words = ngettext(
            "%(count)s part of the server is not well: %(parts)s.",
            "%(count)s parts of the server are not well: %(parts)s.",
            len(ailing),
        )
        text = words % {"count": len(ailing), "parts": ", ".join(ailing)}
        concerns.append(Concern(text, reverse("admin:chat_conversation_health"), "bad"))


def _money(
    midnight: datetime, figures: list[Figure], charts: list[Chart], concerns: list[Concern]
) -> None:
    """Days of money are of UTC, as the budgets are."""
    today = timezone.now().date()
    since = today - timedelta(days=DAYS - 1)
    rows = {row.day: row for row in Spend.objects.filter(scope=Spend.Scope.WHOLE, day__gte=since)}
    page = reverse("admin:chat_spend_changelist")
    row = rows.get(today)
    spent = dollars(row.spent) if row else 0
    note = _("of $%(budget)s") % {"budget": f"{dollars(row.cap):.2f}"} if row and row.cap else ""
    figures.append(Figure(_("Spent today"), f"${spent:.2f}", page, note))
    days = {day: float(dollars(found.spent)) for day, found in rows.items()}
    charts.append(_chart(_("Spending"), days, midnight, money=True))
    if row and row.refused is not None:
        concerns.append(
            Concern(_("Today's budget is spent; the guided seller answers."), page, "bad")
        )
    elif row and row.cap and row.spent * 10 >= row.cap * 8:
        concerns.append(Concern(_("Most of today's budget is spent."), page))


def _by_day(rows: QuerySet[Any], midnight: datetime) -> dict[date, int]:
    since = midnight - timedelta(days=DAYS - 1)
    counted = rows.filter(created__gte=since).annotate(day=TruncDate("created")).order_by()
    return dict(counted.values("day").annotate(count=Count("pk")).values_list("day", "count"))


def _chart(name: str, days: Mapping[date, float], midnight: datetime, money: bool = False) -> Chart:
    width, height = CHART
    step = width / DAYS
    shown = [midnight.date() - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
    most = max((days.get(day, 0) for day in shown), default=0) or 1
    bars = []
    for n, day in enumerate(shown):
        value = days.get(day, 0)
        tall = max(round(height * value / most, 1), 1.0)
        told = f"{date_format(day, 'M j')}: {_amount(value, money)}"
        bars.append(Bar(round(n * step, 1), height - tall, round(step - GAP, 1), tall, told))
    return Chart(name, _amount(sum(days.get(day, 0) for day in shown), money), bars)


def _amount(value: float, money: bool) -> str:
    return f"${value:.2f}" if money else f"{value:,.0f}"
