"""Leads: who is worth a call, and in which words they said so."""

import re
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter

from chat.admin.desk import as_written, link_to, moment, shortened
from chat.admin.erasing import NamelessLog
from chat.admin.exports import Downloads
from chat.admin.filters import Period
from chat.models import Lead


class CreatedPeriod(Period):
    field = "created"


@admin.register(Lead)
class LeadAdmin(Downloads, NamelessLog):
    """The values are the visitor's and stay as they said them; the note is staff's own."""

    list_display = ("who", "write_to", "call", "company", "said", "came", "talk")
    list_display_links = ("who",)
    list_filter = (("site", RelatedDropdownFilter), CreatedPeriod)
    list_per_page = 50
    list_fullwidth = True
    compressed_fields = False
    show_full_result_count = False
    search_fields = ("name", "email", "phone", "company")
    search_help_text = _("Name, e-mail, phone or company")
    fieldsets = (
        (None, {"fields": (("name", "company"), ("write_to", "call"), "note")}),
        (
            _("Where it comes from"),
            {"fields": ("own_words", "signed", "talk", "site", "created", "mailed")},
        ),
    )
    actions = ("download_csv",)
    download_columns = {
        "since": lambda lead: lead.created,
        "site": lambda lead: lead.site,
        "name": lambda lead: lead.name,
        "e-mail": lambda lead: lead.email,
        "phone": lambda lead: lead.phone,
        "company": lambda lead: lead.company,
        "note": lambda lead: lead.note,
        "in their own words": lambda lead: lead.words,
        "signed by the website": lambda lead: lead.conversation.visitor.external_id,
        "page": lambda lead: lead.conversation.page_url,
        "conversation": lambda lead: lead.conversation_id,
    }
    readonly_fields = (
        "name",
        "company",
        "write_to",
        "call",
        "own_words",
        "signed",
        "talk",
        "site",
        "created",
        "mailed",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lead]:
        return super().get_queryset(request).select_related("site", "conversation__visitor")

    def save_model(self, request: HttpRequest, obj: Lead, form: Any, change: bool) -> None:
        # Only what was edited: the agent may be adding to the same lead at this moment.
        obj.save(update_fields=[*form.changed_data, "updated"])

    @admin.display(description=_("lead"), ordering="name")
    def who(self, lead: Lead) -> str:
        return f"{lead} ({_('example')})" if lead.conversation.example else str(lead)

    @admin.display(description=_("e-mail"), ordering="email")
    def write_to(self, lead: Lead) -> SafeString | str:
        link = contact("mailto", quote(lead.email, safe="@+"), lead.email)
        if not lead.email or lead.conversation.visitor.signed().get("email") != lead.email:
            return link
        mark = _("signed by the website")
        return format_html('{} <span class="desk-tag" data-kind="good">{}</span>', link, mark)

    @admin.display(description=_("signed in on the website"))
    def signed(self, lead: Lead) -> str:
        visitor = lead.conversation.visitor
        if not visitor.external_id:
            return ""
        return render_to_string("admin/desk/signed.html", {"visitor": visitor})

    @admin.display(description=_("phone"), ordering="phone")
    def call(self, lead: Lead) -> SafeString | str:
        return contact("tel", re.sub(r"[^+\d]", "", lead.phone), lead.phone)

    @admin.display(description=_("since"), ordering="created")
    def came(self, lead: Lead) -> str:
        return moment(lead.created)

    @admin.display(description=_("in their own words"))
    def own_words(self, lead: Lead) -> SafeString:
        return as_written(lead.words)

    @admin.display(description=_("in their own words"))
    def said(self, lead: Lead) -> str:
        return shortened(lead.words, 40)

    @admin.display(description=_("conversation"))
    def talk(self, lead: Lead) -> SafeString:
        view = "admin:chat_conversation_change"
        return link_to(view, lead.conversation_id, _("Read it"))


def contact(scheme: str, address: str, text: str) -> SafeString | str:
    """A link that writes or calls; nothing but the admin's dash where there is no address."""
    if not text:
        return ""
    return format_html('<a class="desk-link" href="{}:{}">{}</a>', scheme, address, text)
