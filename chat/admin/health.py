"""How the server stands, part by part, for staff: what `/api/health` says to programs."""

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from chat import health

HEALTH = "chat.view_conversation"  # the right it takes
PARTS = {
    "database": _("database"),
    "channel_layer": _("Redis"),
    "llm": _("model"),
    "voice": _("voice"),
    "load": _("load"),
    "budget": _("budget"),
    "memory": _("memory"),
}
STATUS = {"ok": _("well"), "off": _("not in use"), "degraded": _("not well")}


class HealthPage(ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.health_view)
        return [path("health/", view, name="chat_conversation_health"), *super().get_urls()]

    def health_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(HEALTH):
            raise PermissionDenied
        # This page has just asked the database for its reader.
        checks = {"database": {"status": "ok"}, **async_to_sync(health.parts)()}
        shown = {
            **self.admin_site.each_context(request),
            "title": _("Health"),
            "content_title": _("Health"),
            "parts": [
                (PARTS[name], each["status"], STATUS[each["status"]], each.get("detail", ""))
                for name, each in checks.items()
            ],
            "media": self.media,
        }
        return TemplateResponse(request, "admin/desk/health.html", shown)
