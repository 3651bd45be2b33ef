"""Erasing a visitor: the page that asks once more, and the line that stays in the admin's log."""

import uuid

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from chat import erasing, turns
from chat.models import Lead, Message, Visitor


class NamelessLog(ModelAdmin):
    """Its rows stand in the admin's log by number: the log outlives whoever is erased."""

    def log_change(self, request: HttpRequest, obj: object, message: object) -> LogEntry:
        entry = super().log_change(request, obj, message)
        entry.object_repr = f"{self.opts.verbose_name} {entry.object_id}"
        entry.save(update_fields=["object_repr"])
        return entry

    def log_deletions(self, request: HttpRequest, queryset: object) -> list[LogEntry]:
        entries: list[LogEntry] = list(super().log_deletions(request, queryset) or [])
        for entry in entries:
            entry.object_repr = f"{self.opts.verbose_name} {entry.object_id}"
            if entry.pk:
                entry.save(update_fields=["object_repr"])
        return entries


def erase_view(admin: ModelAdmin, request: HttpRequest, visitor: uuid.UUID) -> HttpResponse:
    """Asks once more, then erases; for who may delete visitors."""
    row = Visitor.objects.select_related("site").filter(id=visitor).first()
    if not request.user.has_perm("chat.delete_visitor"):
        raise PermissionDenied
    if row is None:
        raise Http404
    if request.method == "POST":
        _erase(request, row)
        return HttpResponseRedirect(reverse("admin:chat_conversation_changelist"))
    talks = row.conversations.all()
    context = {
        **admin.admin_site.each_context(request),
        "opts": Visitor._meta,
        "original": row,
        "title": _("Erase this visitor"),
        "visitor": row,
        "conversations": talks.count(),
        "messages_count": Message.objects.filter(conversation__in=talks).count(),
        "leads": Lead.objects.filter(conversation__in=talks).count(),
        "media": admin.media,
    }
    return TemplateResponse(request, "admin/desk/erase.html", context)


def _erase(request: HttpRequest, row: Visitor) -> None:
    async_to_sync(turns.silence)(row.id)
    erased = erasing.erase(row.id)
    async_to_sync(turns.forget)(row.id)
    if erased is None:  # somebody was faster
        return
    # Who did it, when, and how much there was; nothing of whose it was.
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(Visitor),
        object_id="",
        object_repr=f"a visitor of {row.site.key}",
        action_flag=DELETION,
        change_message=f"Erased: {erased}.",
    )
    messages.success(request, _("The visitor is erased: %(what)s.") % {"what": erased})
