"""Conversations: a list to find one by, and a page to read it on. Nothing in them is edited."""

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Substr
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)

from chat import audit, backends, conversations, finding
from chat.admin.desk import labelled, moment, shortened
from chat.admin.erasing import NamelessLog, erase_view
from chat.admin.exports import Downloads
from chat.admin.filters import Bounded, FetchedById, Period, YesNo
from chat.admin.health import HealthPage
from chat.admin.transcript import as_text, canned, one_line, transcript
from chat.live import live
from chat.models import Conversation, Lead, Message, Note, Tag, Visitor
from chat.staff import seen_by
from chat.wire import drop_controls

OTHERS_SHOWN = 20
WORDS = 8  # of a search
CAMPAIGNS_OF = 2000  # conversations
LANGUAGES = (  # that the widget speaks
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("tr", "Türkçe"),
    ("zh", "中文"),
)


class UpdatedPeriod(Period):
    title = _("last change")
    field = "updated"


class WaitsForPerson(YesNo):
    title = _("waits for a person")
    parameter_name = "waiting"

    def condition(self) -> Any:
        return Q(waiting_since__isnull=False)


class HasLead(YesNo):
    title = _("lead")
    parameter_name = "lead"

    def condition(self) -> Any:
        return Exists(Lead.objects.filter(conversation=OuterRef("pk")))


class HasFailedReply(YesNo):
    title = _("failed reply")
    parameter_name = "failed"

    def condition(self) -> Any:
        failed = Message.objects.filter(state=Message.State.FAILED)
        return Exists(failed.filter(conversation=OuterRef("pk")))


class IsUnanswered(YesNo):
    title = _("unanswered")
    parameter_name = "unanswered"

    def condition(self) -> Any:
        return Q(awaiting_since__isnull=False) | Q(waiting_since__isnull=False)


class IsRatedBadly(YesNo):
    title = _("found unhelpful")
    parameter_name = "rated"

    def condition(self) -> Any:
        return Exists(Message.objects.filter(feedback=-1, conversation=OuterRef("pk")))


class Language(DropdownFilter):
    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(LANGUAGES)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        tag = self.value()
        if tag not in dict(LANGUAGES):
            return queryset
        # `de`, `de-AT`, `de_CH`: all that stands before the sign after `-` and `_`.
        return queryset.filter(Q(locale=tag) | Q(locale__gt=f"{tag}-", locale__lt=f"{tag}`"))


class Tagged(DropdownFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names = Tag.objects.order_by("name").values_list("name", flat=True).distinct()[:100]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        name = self.value()
        if not name:
            return queryset
        return queryset.filter(Exists(Tag.objects.filter(name=name, conversation=OuterRef("pk"))))


class LedHere(DropdownFilter):
    """By campaign: those of the newest conversations that one led here."""

    title = _("campaign")
    parameter_name = "campaign"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        led = seen_by(request.user, Conversation.objects.filter(campaign__gt=""))
        newest = led.order_by("-updated").values_list("campaign", flat=True)[:CAMPAIGNS_OF]
        return [(name, name) for name in sorted({*newest})[:100]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        name = self.value()
        # The first of the two is for the index, which knows only those that have one.
        return queryset.filter(campaign__gt="", campaign=name) if name else queryset


class ReadOnlyAdmin(NamelessLog):
    """For rows that only the product writes. They go with their visitor, by `erase_view`."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Conversation)
class ConversationAdmin(Downloads, HealthPage, FetchedById, ReadOnlyAdmin):
    list_display = ("changed", "last_line", "condition", "leads", "size", "site")
    list_display_links = ("changed", "last_line")
    list_filter = (
        ("site", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        WaitsForPerson,
        HasLead,
        HasFailedReply,
        IsUnanswered,
        IsRatedBadly,
        Language,
        ("channel", ChoicesDropdownFilter),
        Tagged,
        LedHere,
        UpdatedPeriod,
    )
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 30
    paginator = Bounded
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table
    search_fields = ("pk",)  # shows the box; what is searched stands in get_search_results
    search_help_text = _("Words of a message, a name, e-mail, phone or company, or an id")
    ordering = ("-updated",)
    actions = ("download_csv", "download_lines")
    download_right = "export"
    download_columns = {
        "started": lambda row: row.created,
        "last change": lambda row: row.updated,
        "site": lambda row: row.site,
        "state": lambda row: row.state,
        "visitor": lambda row: row.visitor,
        "language": lambda row: row.locale,
        "lead": lambda row: getattr(row, "lead", None),
        "messages": lambda row: row.last_seq,
        "page": lambda row: row.page_url,
        "page title": lambda row: row.page_title,
        "came from": lambda row: row.referrer,
        "campaign": lambda row: row.campaign,
        "transcript": lambda row: as_text(row.messages.all()),
        "conversation": lambda row: row.pk,
    }

    def download_rows(
        self, request: HttpRequest, queryset: QuerySet[Conversation]
    ) -> QuerySet[Conversation]:
        said = Message.objects.only("conversation", "role", "text", "seq").order_by("seq")
        return queryset.prefetch_related(Prefetch("messages", said))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        said = Message.objects.filter(conversation=OuterRef("pk"), role=Message.Role.VISITOR)
        newest = said.order_by("-seq").annotate(start=Substr("text", 1, 200)).values("start")[:1]
        rows = super().get_queryset(request).select_related("site", "lead", "visitor")
        rows = seen_by(request.user, rows)
        return rows.annotate(last_words=Subquery(newest)).defer("summary")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        words = [
            unescape_string_literal(part) if part[0] == part[-1] in "\"'" else part
            for part in smart_split(search_term.replace("\0", ""))
        ]
        return finding.mentioning(queryset, [word for word in words if word.strip()][:WORDS]), False

    @admin.display(description=_("last change"), ordering="updated")
    def changed(self, row: Conversation) -> str:
        return moment(row.updated)

    @admin.display(description=_("last words"))
    def last_line(self, row: Any) -> str:
        words = shortened(row.last_words or "", 70) or "–"
        return _("Example: %(words)s") % {"words": words} if row.example else words

    @labelled(
        _("state"),
        {"waiting": "warning", "open": "info", "human": "success", "closed": ""},
    )
    def condition(self, row: Conversation) -> tuple[str, Any]:
        if row.waiting_since:
            return "waiting", _("waits for a person")
        return row.state, row.get_state_display()

    @labelled(_("lead"), {"lead": "success"})
    def leads(self, row: Conversation) -> tuple[str, str] | None:
        lead = getattr(row, "lead", None)
        return ("lead", shortened(str(lead), 30)) if lead else None

    @admin.display(description=_("messages"), ordering="last_seq")
    def size(self, row: Conversation) -> int:
        return row.last_seq

    def get_urls(self) -> list[URLPattern]:
        close = self.admin_site.admin_view(require_POST(self.close_view))
        line = self.admin_site.admin_view(require_GET(self.line_view))
        note = self.admin_site.admin_view(require_POST(self.note_view))
        return [
            path("<path:object_id>/close/", close, name="chat_conversation_close"),
            path("<path:object_id>/lines/<int:seq>/", line, name="chat_conversation_line"),
            path("<path:object_id>/note/", note, name="chat_conversation_note"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The transcript, in place of a form."""
        row = self._row(request, object_id)
        audit.note(request.user.pk, row.pk, audit.OPENED)
        others = Conversation.objects.filter(visitor=row.visitor_id).exclude(pk=row.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": _("Conversation %(id)s") % {"id": row},
            "conversation": row,
            "lead": getattr(row, "lead", None),
            "transcript": transcript(row),
            "others": others.order_by("-updated")[:OTHERS_SHOWN],
            "notes": row.notes.select_related("author"),
            "tags": ", ".join(row.tags.values_list("name", flat=True)),
            "may_note": request.user.has_perm("chat.change_conversation"),
            "canned": canned(request.user, row),
            "may_suggest": backends.paid(),
            "may_take": request.user.has_perm("chat.take_conversation"),
            "may_release": request.user.has_perm("chat.release_conversation"),
            "speaks": row.taken_by_id == request.user.pk,
            "may_close": self._may_close(request, row),
            "may_erase": request.user.has_perm("chat.delete_visitor"),
            "may_see_lead": request.user.has_perm("chat.view_lead"),
            "may_see_visitor": request.user.has_perm("chat.view_visitor"),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/desk/conversation.html", context)

    def note_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Adds a note for the others, and puts the tags on that were written."""
        row = self._row(request, object_id)
        if not request.user.has_perm("chat.change_conversation"):
            raise PermissionDenied
        text = drop_controls(request.POST.get("note", "")).strip()[:2000]
        if text:
            Note.objects.create(conversation=row, author_id=request.user.pk, text=text)
        names = {" ".join(name.split()) for name in request.POST.get("tags", "").split(",")}
        names = {drop_controls(name)[:40].lower() for name in names if name}
        with transaction.atomic():
            row.tags.exclude(name__in=names).delete()
            Tag.objects.bulk_create(
                [Tag(conversation=row, name=name) for name in sorted(names)[:20]],
                ignore_conflicts=True,
            )
        self.log_change(request, row, "Noted")
        return HttpResponseRedirect(reverse("admin:chat_conversation_change", args=[row.pk]))

    def line_view(self, request: HttpRequest, object_id: str, seq: int) -> HttpResponse:
        """One message of it, for a page that is open and hears of it."""
        found = one_line(self._row(request, object_id), seq)
        if found is None:
            raise Http404
        context = {"line": found, "message": found.message}
        return TemplateResponse(request, "admin/desk/line.html", context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        return erase_view(self, request, self._row(request, object_id).visitor_id)

    def close_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._row(request, object_id)
        if not request.user.has_perm("chat.change_conversation"):
            raise PermissionDenied
        if conversations.close(row.pk):
            async_to_sync(live.state_changed)(row.pk)
            self.log_change(request, row, "Closed")
            messages.success(request, _("The conversation is closed."))
        return HttpResponseRedirect(reverse("admin:chat_conversation_change", args=[row.pk]))

    def _may_close(self, request: HttpRequest, row: Conversation) -> bool:
        closed = row.state == Conversation.State.CLOSED
        return not closed and request.user.has_perm("chat.change_conversation")

    def _row(self, request: HttpRequest, object_id: str) -> Conversation:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    """Not in the navigation: a visitor is reached from a conversation."""

    list_display = ("id", "site", "locale", "created")
    list_select_related = ("site",)
    list_per_page = 50
    show_full_result_count = False
    fields = (("id", "site"), ("locale", "created"), ("name", "email"), ("external_id", "verified"))
    readonly_fields = ("id", "created")
    change_form_outer_after_template = "admin/desk/visitor_conversations.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Visitor]:
        return seen_by(request.user, super().get_queryset(request))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return erase_view(self, request, row.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        visitor: Visitor = context["original"]
        newest = visitor.conversations.select_related("lead").order_by("-created")
        context["conversations"] = newest[:OTHERS_SHOWN]
        return super().render_change_form(request, context, *args, **more)
