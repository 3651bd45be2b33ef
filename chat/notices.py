"""E-mails to staff: a new lead, and a visitor who waits for a person.

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
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.models import Conversation, Lead, Site
from chat.rights import STAFF_GROUP

logger = logging.getLogger(__name__)

LEAD_REST = timedelta(seconds=20)  # so that one mail carries all that a visitor says in a row
RETRY_AFTER = 60.0  # seconds until this process tries again what could not be sent
LAST_LINES = 6


def send_due(limit: int = 20) -> int:
    """Sends at most `limit` mails that are due, and says how many went out.

    The first failure ends the round: a mail server that is away would hold it up once for each.
    """
    sent = 0
    for kind in (Waiting, NewLead):
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
    paused: dict[Any, float]  # the rows this process failed to mail, until when they rest

    def __init__(self, row: Any) -> None:
        self.row = row
        self.site: Site = row.site
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

    def answer_to(self) -> list[str]:
        return []

    def conversation_id(self) -> Any:
        raise NotImplementedError

    @classmethod
    def due(cls) -> QuerySet[Any]:
        now = time.monotonic()
        cls.paused = {pk: until for pk, until in cls.paused.items() if until > now}
        rows = cls.waiting_rows().filter(**{cls.mark: None}).select_related("site")
        return rows.exclude(pk__in=cls.paused)

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
        to = recipients(self.site)
        if not to:
            logger.warning("Nobody to mail: %s", self)
            return 0
        with override(self.site.language):
            message = EmailMessage(
                subject=one_line(self.subject()),
                body=f"{self.body()}\n\n{conversation_link(self.conversation_id())}\n",
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
    paused = {}
    row: Lead

    @classmethod
    def waiting_rows(cls) -> QuerySet[Lead]:
        rested = Lead.objects.filter(updated__lte=timezone.now() - LEAD_REST)
        return rested.exclude(email="", phone="").order_by("updated")

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

    def conversation_id(self) -> Any:
        return self.row.conversation_id


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

    def conversation_id(self) -> Any:
        return self.row.pk


def recipients(site: Site) -> list[str]:
    """The site's own list, else everybody in the group of sales staff."""
    named = [line.strip() for line in site.staff_emails.splitlines() if line.strip()]
    if named:
        return named
    staff = get_user_model()._default_manager.filter(is_active=True, groups__name=STAFF_GROUP)
    return list(staff.exclude(email="").order_by("email").values_list("email", flat=True))


def conversation_link(conversation_id: Any) -> str:
    path = reverse("admin:chat_conversation_change", args=[conversation_id])
    return f"{settings.PUBLIC_URL}{path}"


def one_line(text: str) -> str:
    """Fit for a header: no line breaks, no control or direction characters, not endless."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:150]


def quoted(text: str) -> str:
    """A visitor's words as a quotation, so that they cannot pass for ours."""
    return "\n".join(f"> {line}" for line in text.splitlines())
