"""Sites: where the chat stands, how it looks, who speaks and from which knowledge."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from chat.admin.deleting import CountedDeletion
from chat.admin.desk import as_written
from chat.admin.site_form import SiteForm, languages
from chat.models import Site, new_identity_key

# Of the fields that are the form's own, what stands in their place for who may only look.
INSTEAD = {"suggestions": "asked_first", "language": "spoken"}


def script_tag(site: Site, base: str) -> str:
    """What a web page needs to show the chat; as text, which the template escapes once more."""
    return f'<script src="{escape(base)}/widget.js" data-site="{escape(site.key)}" async></script>'


@admin.register(Site)
class SiteAdmin(CountedDeletion):
    along = "conversations"
    fast = False  # and messages with each
    form = SiteForm
    list_display = ("name", "key", "on", "persona", "collection", "language")
    list_select_related = ("persona", "collection")
    search_fields = ("name", "key")
    fieldsets = (
        (None, {"fields": (("name", "key"), "enabled", "allowed_origins")}),
        (_("What it knows"), {"fields": (("persona", "collection"), "facts")}),
        (_("How it begins"), {"fields": ("greeting", "suggestions", "language")}),
        (
            _("How it looks"),
            {
                "fields": (
                    ("accent", "side"),
                    ("radius", "scheme"),
                    "avatar",
                    ("text_title", "text_subtitle"),
                    ("text_placeholder", "text_hint"),
                )
            },
        ),
        (
            _("Greets by itself"),
            {
                "fields": (
                    "greets_on",
                    "greets_text",
                    ("greets_after", "greets_scroll"),
                    "greets_exit",
                    "greets_pages",
                    "greets_daily",
                )
            },
        ),
        (
            _("Staff and silence"),
            {
                "fields": (
                    "staff_emails",
                    "office_hours",
                    ("office_zone", "answer_within"),
                    "idle_days",
                )
            },
        ),
        (
            _("What visitors are told, and how long it is kept"),
            {"fields": ("consent", "consent_text", "consent_link", "keep_days")},
        ),
        (_("Money"), {"fields": ("daily_budget",)}),
    )
    change_form_outer_before_template = "admin/desk/script_tag.html"
    change_form_outer_after_template = "admin/desk/identity_key.html"
    warn_unsaved_form = True
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        return super().get_queryset(request).select_related("persona", "collection")

    def get_fieldsets(self, request: HttpRequest, obj: Site | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        own = SiteForm.declared_fields
        seen = []
        for title, options in fieldsets:
            names = [INSTEAD.get(n, "" if n in own else n) for n in flat(options["fields"])]
            seen.append((title, {"fields": list(filter(None, names))}))
        return [part for part in seen if part[1]["fields"]]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False
        site: Site | None = context.get("original")
        if site:
            base = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
            context["script_tag"] = script_tag(site, base)
            if self.has_change_permission(request, site):
                context["identity_key"] = site.identity_key
        return super().render_change_form(request, context, *args, **more)

    def get_urls(self) -> list[URLPattern]:
        renew = self.admin_site.admin_view(require_POST(self.renew_key_view))
        own = path("<path:object_id>/identity-key/", renew, name="chat_site_identity_key")
        return [own, *super().get_urls()]

    def renew_key_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        site = self.get_object(request, unquote(object_id))
        if site is None:
            raise Http404
        if not self.has_change_permission(request, site):
            raise PermissionDenied
        site.identity_key = new_identity_key()
        site.save(update_fields=["identity_key"])
        self.log_change(request, site, "New identity key")
        messages.success(
            request, _("There is a new identity key. What the old one signed holds no more.")
        )
        return HttpResponseRedirect(reverse("admin:chat_site_change", args=[site.pk]))

    @admin.display(description=_("suggestions"))
    def asked_first(self, site: Site) -> SafeString:
        return as_written("\n".join(map(str, site.suggestions)))

    @admin.display(description=_("language"))
    def spoken(self, site: Site) -> str:
        return dict(languages(site.language))[site.language]

    @admin.display(description=_("enabled"), boolean=True, ordering="enabled")
    def on(self, site: Site) -> bool:
        return site.enabled


def flat(fields: Any) -> list[str]:
    return [name for part in fields for name in ([part] if isinstance(part, str) else part)]
