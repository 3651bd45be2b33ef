"""E-mails to staff: a new lead, a visitor who waits for a person, a budget that is used up.

`send_due` runs in the server's sweep, outside any request or turn. Whichever process marks a row
first sends its mail, so nobody hears of one thing twice; a mail that could not be sent gives its
mark back. What a process that dies in between had marked is not mailed, but stands in the admin.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.models import Conversation, Lead, Site, Spend
from chat.money import dollars
from chat.rights import GROUPS

logger = logging.getLogger(__name__)

LEAD_REST = timedelta(seconds=20)  # so that one mail carries all that a visitor says in a row
RETRY_AFTER = 60.0  # seconds until this process tries again what could not be sent
LAST_LINES = 6


def send_due(limit: int = 20) -> int:
    """Sends at most `limit` mails that are due, and says how many went out.

    The first failure ends the round: a mail server that is away would hold it up once for each.
    """
    sent = 0
    for kind in (Waiting, NewLead, HalfSpent, NearlySpent, AllSpent):
        for row in kind.due()[: limit - sent]:
            notice = kind(row)
            if not notice.claim():
                continue
            try:
                sent += notice.send()
            except Exception as error:  # a mail backend may raise anything
                notice.give_back()
                # Only the kind of error: its text and traceback may hold addresses and words.
                logger.warning("Mail not sent: %s (%s)", notice, type(error).__name__)
                return sent
    return sent


class Notice:
    """One mail about one row, and the mark on the row that says it is on its way."""

    mark: str  # the row's field that holds the time of mailing
    along: tuple[str, ...] = ("site",)  # rows that are read with it
    paused: dict[Any, float]  # the rows this process failed to mail, until when they rest

    def __init__(self, row: Any) -> None:
        self.row = row
        self.site: Site | None = row.site  # None: of all sites
        self.marked_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.row._meta.model_name} {self.row.pk}"

    @classmethod
    def waiting_rows(cls) -> QuerySet[Any]:
        """The rows that are due, oldest first."""
        raise NotImplementedError

    def subject(self) -> str:
        raise NotImplementedError

    def body(self) -> str:
        raise NotImplementedError

    def to(self) -> list[str]:
        return recipients(self.site) if self.site else owners()

    def answer_to(self) -> list[str]:
        return []

    def page(self) -> str:
        """Where in the admin staff see to it."""
        raise NotImplementedError

    @classmethod
    def due(cls) -> QuerySet[Any]:
        now = time.monotonic()
        cls.paused = {pk: until for pk, until in cls.paused.items() if until > now}
        rows = cls.waiting_rows().filter(**{cls.mark: None})
        return rows.exclude(pk__in=cls.paused).select_related(*cls.along)

    def claim(self) -> bool:
        """True in one of all the processes that try."""
        self.marked_at = timezone.now()
        return self._marked(None).update(**{self.mark: self.marked_at}) == 1

    def give_back(self) -> None:
        # Only our own mark: news of the row may have cleared it, and another set it since.
        self._marked(self.marked_at).update(**{self.mark: None})
        self.paused[self.row.pk] = time.monotonic() + RETRY_AFTER

    def send(self) -> int:
        """How many mails it made: none where there is nobody to read it."""
        to = self.to()
        if not to:
            logger.warning("Nobody to mail: %s", self)
            return 0
        with override(self.site.language if self.site else settings.LANGUAGE_CODE):
            message = EmailMessage(
                subject=one_line(self.subject()),
                body=f"{self.body()}\n\n{settings.PUBLIC_URL}{self.page()}\n",
                to=to,
                reply_to=self.answer_to(),
                headers={"Auto-Submitted": "auto-generated"},
            )
        message.send()
        logger.info("Mailed to staff: %s", self)
        return 1

    def _marked(self, when: datetime | None) -> QuerySet[Any]:
        return type(self.row)._default_manager.filter(**{"pk": self.row.pk, self.mark: when})


class NewLead(Notice):
    """Somebody left an e-mail address or a telephone number."""

    mark = "mailed"
    along = ("site", "owner")
    paused = {}
    row: Lead

    @classmethod
    def waiting_rows(cls) -> QuerySet[Lead]:
        rested = Lead.objects.filter(updated__lte=timezone.now() - LEAD_REST)
        return rested.exclude(email="", phone="").order_by("updated")

    def to(self) -> list[str]:
        """Whose lead it is, if they can be written to; else everybody who hears of leads."""
        owner = self.row.owner
        if owner is not None and owner.is_active and owner.email:
            return [owner.email]
        return super().to()

    def subject(self) -> str:
        return _("Lead: %(who)s (%(site)s)") % {"who": self.row, "site": self.site}

    def body(self) -> str:
        fields = "\n".join(
            f"{Lead._meta.get_field(name).verbose_name}: {value}"  # type: ignore[union-attr]
            for name, value in self.row.known().items()
        )
        return f"{fields}\n\n{_('In their own words:')}\n\n{quoted(self.row.words)}"

    def answer_to(self) -> list[str]:
        try:
            validate_email(self.row.email)
        except ValidationError:
            return []
        return [self.row.email]

    def page(self) -> str:
        return reverse("admin:chat_lead_change", args=[self.row.pk])


class Waiting(Notice):
    """A visitor asked for a person."""

    mark = "waiting_mailed"
    paused = {}
    row: Conversation

    @classmethod
    def waiting_rows(cls) -> QuerySet[Conversation]:
        return Conversation.objects.exclude(waiting_since=None).order_by("waiting_since")

    def subject(self) -> str:
        return _("Somebody waits for a person (%(site)s)") % {"site": self.site}

    def body(self) -> str:
        newest = self.row.messages.order_by("-seq")[:LAST_LINES]
        lines = (f"{line.get_role_display()}:\n{quoted(line.text)}" for line in reversed(newest))
        talk = "\n\n".join(lines)
        return f"{_('A visitor asked to talk with a person.')}\n\n{talk}"

    def page(self) -> str:
        return conversation_page(self.row.pk)


class _Spending(Notice):
    """A budget of today, of a site or of all together, is used up so far."""

    row: Spend
    percent: int

    @classmethod
    def waiting_rows(cls) -> QuerySet[Spend]:
        return cls.so_far().filter(
            day=timezone.now().date(), scope__in=(Spend.Scope.SITE, Spend.Scope.WHOLE), cap__gt=0
        )

    @classmethod
    def so_far(cls) -> QuerySet[Spend]:
        return Spend.objects.annotate(part=F("spent") * 100).filter(
            part__gte=F("cap") * cls.percent
        )

    def subject(self) -> str:
        return _("%(percent)s %% of today's budget is spent (%(site)s)") % {
            "percent": self.percent,
            "site": self._whose(),
        }

    def body(self) -> str:
        return _(
            "Models have cost $%(spent)s of $%(budget)s so far today (UTC). When the budget is "
            "spent, the guided seller answers until the day is over; it costs nothing."
        ) % {"spent": f"{dollars(self.row.spent):.2f}", "budget": f"{dollars(self.row.cap):.2f}"}

    def page(self) -> str:
        return reverse("admin:chat_spend_changelist")

    def _whose(self) -> str:
        return str(self.site or _("all sites together"))


class HalfSpent(_Spending):
    mark = "mailed_50"
    paused = {}
    percent = 50


class NearlySpent(_Spending):
    mark = "mailed_80"
    paused = {}
    percent = 80


class AllSpent(_Spending):
    """A call did not fit any more."""

    mark = "mailed_spent"
    paused = {}

    @classmethod
    def so_far(cls) -> QuerySet[Spend]:
        return Spend.objects.filter(refused__isnull=False)

    def subject(self) -> str:
        return _("Today's budget is spent (%(site)s)") % {"site": self._whose()}

    def body(self) -> str:
        return _(
            "Models have cost $%(spent)s of $%(budget)s today (UTC). The guided seller answers "
            "until the day is over, or the budget is raised."
        ) % {"spent": f"{dollars(self.row.spent):.2f}", "budget": f"{dollars(self.row.cap):.2f}"}


def recipients(site: Site) -> list[str]:
    """The site's own list, else everybody in the groups of staff who sees it and wants mail."""
    named = [line.strip() for line in site.staff_emails.splitlines() if line.strip()]
    if named:
        return named
    staff = get_user_model()._default_manager.filter(is_active=True, groups__name__in=GROUPS)
    staff = staff.exclude(desk__email=False)  # who wants no mail
    staff = staff.filter(Q(desk__sites=None) | Q(desk__sites=site)).exclude(email="")
    return list(staff.order_by("email").values_list("email", flat=True).distinct())


def owners() -> list[str]:
    """Who pays for all sites: as the setting says, else every superuser."""
    if settings.CHAT_BUDGET_EMAILS:
        return list(settings.CHAT_BUDGET_EMAILS)
    users = get_user_model()._default_manager.filter(is_active=True, is_superuser=True)
    return list(users.exclude(email="").order_by("email").values_list("email", flat=True))


def conversation_page(conversation_id: Any) -> str:
    return reverse("admin:chat_conversation_change", args=[conversation_id])


def one_line(text: str) -> str:
    """Fit for a header: no line breaks, no control or direction characters, not endless."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:150]


def quoted(text: str) -> str:
    """A visitor's words as a quotation, so that they cannot pass for ours."""
    return "\n".join(f"> {line}" for line in text.splitlines())
