"""What every page of the admin shares: the navigation, the look, links from page to page."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from chat import twofactor
from chat.models import Conversation
from chat.staff import seen_by

Item = dict[str, Any]
OPEN_QUESTIONS = ("chat.view_conversation", "knowledge.view_entry")  # the rights it takes
Method = TypeVar("Method", bound=Callable[..., Any])


def page_context(request: HttpRequest) -> dict[str, Any]:
    # The palette stands in desk.css: as Unfold's inline <style> it would need a looser policy.
    return {"colors": None}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar. Unfold leaves out what the user has no right to see."""

    questions = reverse("admin:chat_persona_gaps")
    among = reverse("admin:chat_persona_changelist")  # the personas, whose address begins the same
    at_personas = request.path.startswith(among) and not request.path.startswith(questions)

    def page(title: Any, icon: str, model: str, **more: Any) -> Item:
        app, name = model.split(".")
        allowed = request.user.has_perm(f"{app}.view_{name}")
        return {
            "title": title,
            "icon": icon,
            "link": reverse(f"admin:{app}_{name}_changelist"),
            "permission": lambda request: allowed,
            **more,
        }

    return [
        {
            "items": [
                page(_("Conversations"), "forum", "chat.conversation", **_waiting_badge(request)),
                page(_("Leads"), "contact_phone", "chat.lead"),
                page(_("Canned replies"), "quickreply", "chat.cannedreply"),
            ]
        },
        {
            "title": _("The agent"),
            "items": [
                page(_("Knowledge"), "menu_book", "knowledge.entry"),
                {
                    "title": _("Open questions"),
                    "icon": "contact_support",
                    "link": questions,
                    "permission": lambda request: request.user.has_perms(OPEN_QUESTIONS),
                },
                page(_("Collections"), "folder_open", "knowledge.collection"),
                page(_("Personas"), "face", "chat.persona", active=at_personas),
                page(_("Sites"), "language", "chat.site"),
                page(_("Voice"), "graphic_eq", "voice.clip"),
                page(_("Custom voices"), "record_voice_over", "voice.customvoice"),
                page(_("Webhooks"), "webhook", "chat.webhook"),
                page(_("Deliveries"), "outbox", "chat.delivery"),
            ],
        },
        {
            "title": _("Money"),
            "items": [
                page(_("Spending"), "payments", "chat.spend"),
                page(_("Prices"), "sell", "chat.modelprice"),
            ],
        },
        {
            "title": _("People"),
            "items": [
                page(_("Users"), "person", "auth.user"),
                page(_("Groups"), "group", "auth.group"),
                {
                    "title": _("My desk settings"),
                    "icon": "tune",
                    "link": reverse("admin:chat_staffprofile_mine"),
                    "permission": lambda request: request.user.has_perm("chat.view_conversation"),
                },
                {
                    "title": _("Two-factor login"),
                    "icon": "password",
                    "link": reverse(twofactor.PAGE),
                    "permission": lambda request: twofactor.wanted(),
                },
            ],
        },
    ]


def _waiting_badge(request: HttpRequest) -> Item:
    """How many visitors wait for a person, where any do."""
    if not request.user.has_perm("chat.view_conversation"):
        return {}
    rows = Conversation.objects.filter(waiting_since__isnull=False)
    waiting = seen_by(request.user, rows).count()
    return {"badge": waiting, "badge_variant": "warning"} if waiting else {}


def labelled(description: Any, colours: Mapping[str, str]) -> Callable[[Method], Method]:
    """For a column that returns a kind and a word, shown as a label in the kind's colour."""
    decorator = display(description=description, label=dict(colours))
    return cast(Callable[[Method], Method], decorator)


def link_to(view: str, pk: Any, text: Any) -> SafeString:
    """A link to the admin page of a row; `text` is escaped."""
    return format_html('<a class="desk-link" href="{}">{}</a>', reverse(view, args=[pk]), text)


def as_written(text: str) -> SafeString:
    """Escaped, with its own line breaks."""
    return format_html('<div class="desk-text" dir="auto">{}</div>', text)


def moment(when: datetime) -> str:
    """A time as a list shows it: short, and in one line."""
    local = timezone.localtime(when)
    day = _("Today") if local.date() == timezone.localdate() else date_format(local, "M j")
    if local.year != timezone.localdate().year:
        day = date_format(local, "M j, Y")
    return f"{day} {date_format(local, 'H:i')}".replace(" ", "\u00a0")


def shortened(text: str, length: int = 90) -> str:
    """One line of it, cut with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"
