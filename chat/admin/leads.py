"""Leads: who is worth a call, how far the sale is, and in which words they said what they need."""

import re
import uuid
from typing import Any
from urllib.parse import quote, urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)
from unfold.widgets import UnfoldAdminTextareaWidget

from chat import leads
from chat.admin.desk import as_written, labelled, link_to, moment, shortened
from chat.admin.erasing import NamelessLog
from chat.admin.exports import Downloads
from chat.admin.filters import FetchedById, Narrow, Period
from chat.models import Consent, Conversation, Lead
from chat.models.leads import CONTACT, QUALIFYING, WORTH
from chat.staff import seen_by

EDITED = (*CONTACT, *QUALIFYING, "note", "stage", "owner")
DELIVERIES_SHOWN = 10


class CreatedPeriod(Period):
    field = "created"


class OwnerFilter(DropdownFilter):
    title = _("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        owners = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
        others = [(str(each.pk), str(each)) for each in owners.order_by("username")]
        return [("me", _("Mine")), ("none", _("Nobody's")), *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "me":
            return queryset.filter(owner=request.user.pk)
        if value == "none":
            return queryset.filter(owner=None)
        return queryset.filter(owner=int(value)) if value and value.isdecimal() else queryset


class LeadForm(forms.ModelForm):
    """A lead's values, each with the words it came from below it."""

    class Meta:
        model = Lead
        fields = EDITED
        widgets = {"note": UnfoldAdminTextareaWidget({"rows": 4})}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in (*CONTACT, *QUALIFYING):
            if name in self.fields and self.instance.pk and getattr(self.instance, name):
                self.fields[name].help_text = origin(self.instance, name)
        if "owner" in self.fields:
            active = Q(is_staff=True, is_active=True) | Q(pk=self.instance.owner_id)
            owners = get_user_model()._default_manager.filter(active)
            field: Any = self.fields["owner"]
            field.queryset = owners.order_by("username")
            for wish in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{wish}_related", False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(cleaned.get(name) for name in (*CONTACT, *QUALIFYING, "note")):
            raise forms.ValidationError(_("Nothing is known of anybody here. Fill in a field."))
        return cleaned


@admin.register(Lead)
class LeadAdmin(Downloads, FetchedById, NamelessLog):
    """The values as the visitor said them, or as staff wrote them since; each says which."""

    form = LeadForm
    list_display = (
        "who",
        "reached_by",
        "wants",
        "at_stage",
        "points",
        "whose",
        "came",
        "talk",
    )
    list_display_links = ("who",)
    list_filter = (
        ("stage", ChoicesDropdownFilter),
        OwnerFilter,
        ("site", RelatedDropdownFilter),
        CreatedPeriod,
    )
    list_filter_submit = True
    list_per_page = 30
    paginator = Narrow
    list_fullwidth = True
    compressed_fields = False
    warn_unsaved_form = True
    show_full_result_count = False
    search_fields = ("name", "email", "phone", "company", "need")
    search_help_text = _("Name, e-mail, phone, company or need")
    fieldsets = (
        (None, {"fields": (("stage", "owner"), "score_made")}),
        (
            _("Who it is"),
            {"fields": (("name", "company"), ("email", "phone"))},
        ),
        (
            _("What they want"),
            {"fields": (("need", "timing"), ("budget", "authority"), "note")},
        ),
        (
            _("Where it comes from"),
            {
                "fields": (
                    "talk",
                    "own_words",
                    "signed",
                    "came_from",
                    "agreed",
                    ("site", "created", "mailed"),
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/desk/lead_deliveries.html"
    actions = ("download_csv", "take")
    download_columns = {
        "since": lambda lead: lead.created,
        "site": lambda lead: lead.site,
        "stage": lambda lead: lead.stage,
        "score": lambda lead: lead.score,
        "owner": lambda lead: lead.owner or "",
        "name": lambda lead: lead.name,
        "e-mail": lambda lead: lead.email,
        "phone": lambda lead: lead.phone,
        "company": lambda lead: lead.company,
        "need": lambda lead: lead.need,
        "budget": lambda lead: lead.budget,
        "authority": lambda lead: lead.authority,
        "timing": lambda lead: lead.timing,
        "note": lambda lead: lead.note,
        "in their own words": lambda lead: lead.words,
        "signed by the website": lambda lead: lead.conversation.visitor.external_id,
        "page": lambda lead: lead.conversation.page_url,
        "referrer": lambda lead: lead.conversation.referrer,
        "campaign": lambda lead: lead.source().get("campaign", ""),
        "conversation": lambda lead: lead.conversation_id,
    }
    readonly_fields = (
        "score_made",
        "own_words",
        "signed",
        "talk",
        "came_from",
        "agreed",
        "site",
        "created",
        "mailed",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lead]:
        along = ("site", "owner", "conversation__visitor")
        return seen_by(request.user, super().get_queryset(request)).select_related(*along)

    def get_fieldsets(self, request: HttpRequest, obj: Lead | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return [(None, {"fields": (("stage", "owner"),)}), *fieldsets[1:3]]
        return fieldsets

    # --- By hand --------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A lead is of a conversation; where that has one, its page opens."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        row = _conversation(request)
        if row is None:
            messages.info(request, _("Open a conversation; there you make a lead of it."))
            return HttpResponseRedirect(reverse("admin:chat_conversation_changelist"))
        there = leads.of(row)
        if there is not None:
            return HttpResponseRedirect(reverse("admin:chat_lead_change", args=[there.pk]))
        more = {
            "title": _("A lead of conversation %(id)s") % {"id": row},
            "show_save_and_add_another": False,
        }
        return super().add_view(request, form_url, {**more, **(extra_context or {})})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk}

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        lead = super().save_form(request, form, change)
        if not change:
            lead.conversation = _conversation(request)
        return lead

    def save_model(self, request: HttpRequest, obj: Lead, form: Any, change: bool) -> None:
        # Only what was edited: the agent may be adding to the same lead at this moment.
        names = form.changed_data if change else EDITED
        values = {name: form.cleaned_data[name] for name in names}
        saved = leads.write(obj.conversation_id, values, by=request.user)
        obj.pk = saved.pk
        obj._state.adding = False

    @admin.action(description=_("Make them mine"), permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[Lead]) -> None:
        others = queryset.exclude(owner=request.user.pk).values_list("conversation", flat=True)
        taken = list(others[:200])
        for conversation in taken:
            lead = leads.write(conversation, {"owner": request.user}, by=request.user)
            self.log_change(request, lead, "Taken")
        line = ngettext("%(n)s lead is yours now.", "%(n)s leads are yours now.", len(taken))
        messages.success(request, line % {"n": len(taken)})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False
        lead: Lead | None = context.get("original")
        if lead and request.user.has_perm("chat.view_delivery"):
            sent = lead.deliveries.select_related("webhook").order_by("-created")
            context["deliveries"] = sent[:DELIVERIES_SHOWN]
        return super().render_change_form(request, context, *args, **more)

    # --- Columns --------------------------------------------------------------------------------

    @admin.display(description=_("lead"), ordering="name")
    def who(self, lead: Lead) -> SafeString | str:
        name = f"{lead} ({_('example')})" if lead.conversation.example else str(lead)
        if not lead.company or name == lead.company:
            return name
        return format_html('{}<br><span class="desk-quiet">{}</span>', name, lead.company)

    @admin.display(description=_("reached by"), ordering="email")
    def reached_by(self, lead: Lead) -> SafeString:
        """In one column: beside each other they pushed the rest out of a laptop's window."""
        ways = [way for way in (mail_link(lead), phone_link(lead)) if way]
        return format_html_join("", "<div>{}</div>", ((way,) for way in ways))

    @admin.display(description=_("need"), ordering="need")
    def wants(self, lead: Lead) -> str:
        return shortened(lead.need or lead.note or lead.words, 60)

    @labelled(
        _("stage"),
        {"new": "info", "working": "warning", "qualified": "primary", "won": "success", "lost": ""},
    )
    def at_stage(self, lead: Lead) -> tuple[str, Any]:
        return lead.stage, lead.get_stage_display()

    @admin.display(description=_("score"), ordering="score")
    def points(self, lead: Lead) -> int:
        return lead.score

    @admin.display(description=_("owner"), ordering="owner__username")
    def whose(self, lead: Lead) -> str:
        return str(lead.owner or "–")

    @admin.display(description=_("since"), ordering="created")
    def came(self, lead: Lead) -> SafeString | str:
        """And from where, if that is known."""
        source = lead.source()
        found = source.get("campaign") or source.get("source") or host(source.get("referrer", ""))
        if not found:
            return moment(lead.created)
        when = moment(lead.created)
        return format_html('{}<br><span class="desk-quiet">{}</span>', when, shortened(found, 24))

    @admin.display(description=_("conversation"))
    def talk(self, lead: Lead) -> SafeString:
        view = "admin:chat_conversation_change"
        return link_to(view, lead.conversation_id, _("Read it"))

    # --- The page -------------------------------------------------------------------------------

    @admin.display(description=_("score"))
    def score_made(self, lead: Lead) -> str:
        missing = [
            f"{Lead._meta.get_field(name).verbose_name} +{points}"  # type: ignore[union-attr]
            for name, points in WORTH.items()
            if not getattr(lead, name)
        ]
        if not missing:
            return str(_("100 of 100: all is known."))
        return _("%(score)s of 100. Not known yet: %(missing)s.") % {
            "score": lead.score,
            "missing": ", ".join(missing),
        }

    @admin.display(description=_("signed in on the website"))
    def signed(self, lead: Lead) -> str:
        visitor = lead.conversation.visitor
        if not visitor.external_id:
            return ""
        return render_to_string("admin/desk/signed.html", {"visitor": visitor})

    @admin.display(description=_("in their own words"))
    def own_words(self, lead: Lead) -> SafeString:
        return as_written(lead.words)

    @admin.display(description=_("source"))
    def came_from(self, lead: Lead) -> SafeString:
        return as_written("\n".join(f"{name}: {value}" for name, value in lead.source().items()))

    @admin.display(description=_("agreed to"))
    def agreed(self, lead: Lead) -> SafeString:
        given = Consent.objects.filter(visitor=lead.conversation.visitor_id)
        lines = [
            f"{moment(each.given)}: {shortened(each.text.text, 120)} ({each.text.version})"
            for each in given.select_related("text").order_by("given")
        ]
        return as_written("\n".join(lines) or "–")


def _conversation(request: HttpRequest) -> Conversation | None:
    try:
        id = uuid.UUID(request.GET.get("conversation", ""))
    except ValueError:
        return None
    return seen_by(request.user, Conversation.objects.filter(id=id)).first()


def origin(lead: Lead, name: str) -> SafeString:
    """Where a value is from: the visitor's words and a link to them, the website, or staff."""
    found = lead.evidence.get(name, {})
    reach = {"email": mail_link, "phone": phone_link}[name](lead) if name in REACHED else ""
    if "words" in found:
        page = reverse("admin:chat_conversation_change", args=[lead.conversation_id])
        anchor = f"{page}#message-{found.get('seq', '')}"
        words = format_html(
            '<q dir="auto">{}</q> <a class="desk-link" href="{}">{}</a>',
            found["words"],
            anchor,
            _("Read it there"),
        )
    elif "by" in found:
        words = format_html("{}", _("Written by %(who)s.") % {"who": found["by"]})
    else:
        words = format_html("{}", _("Signed by the website.") if found.get("signed") else "")
    between = " · " if words and reach else ""
    return format_html('<span class="desk-origin">{}{}{}</span>', words, between, reach)


REACHED = ("email", "phone")


def mail_link(lead: Lead) -> SafeString | str:
    link = contact("mailto", quote(lead.email, safe="@+"), lead.email)
    if not lead.email or lead.conversation.visitor.signed().get("email") != lead.email:
        return link
    mark = _("signed by the website")
    return format_html('{} <span class="desk-tag" data-kind="good">{}</span>', link, mark)


def phone_link(lead: Lead) -> SafeString | str:
    return contact("tel", re.sub(r"[^+\d]", "", lead.phone), lead.phone)


def contact(scheme: str, address: str, text: str) -> SafeString | str:
    """A link that writes or calls; nothing but the admin's dash where there is no address."""
    if not text:
        return ""
    return format_html('<a class="desk-link" href="{}:{}">{}</a>', scheme, address, text)


def host(url: str) -> str:
    """Whose page it is, of an address that a browser has told."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
