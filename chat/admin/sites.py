"""Sites: where the chat stands, how it looks, who speaks and from which knowledge."""

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from chat.admin.desk import as_written
from chat.models import Site

ACCENT = "#0f766e"
SUGGESTIONS = 6
SUGGESTION_LENGTH = 80


class Lines(forms.CharField):
    """A list of strings, edited as one a line."""

    def __init__(self, *, rows: int, **more: Any) -> None:
        super().__init__(widget=UnfoldAdminTextareaWidget({"rows": rows}), **more)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)


class SiteForm(forms.ModelForm):
    """The model's two JSON fields in words: suggestions one a line, the theme as a colour."""

    suggestions = Lines(
        label=_("Suggestions"),
        required=False,
        rows=4,
        help_text=_("Questions a visitor can click on at the start, one a line, at most six."),
    )
    accent = forms.CharField(
        label=_("Colour"),
        required=False,
        widget=UnfoldAdminColorInputWidget,
        help_text=_("Of the button and of what the visitor says."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Spoken until the visitor's own is known."),
    )

    class Meta:
        model = Site
        fields = (
            "name",
            "key",
            "enabled",
            "allowed_origins",
            "persona",
            "collection",
            "facts",
            "greeting",
            "suggestions",
            "language",
            "staff_emails",
            "idle_days",
        )
        widgets = {
            "allowed_origins": UnfoldAdminTextareaWidget({"rows": 3}),
            "facts": UnfoldAdminTextareaWidget({"rows": 6}),
            "greeting": UnfoldAdminTextareaWidget({"rows": 3}),
            "staff_emails": UnfoldAdminTextareaWidget({"rows": 3}),
        }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if "accent" in self.fields:
            theme = self.instance.theme if isinstance(self.instance.theme, dict) else {}
            self.initial.setdefault("accent", theme.get("accent", ACCENT))
            self.fields["language"].choices = languages(self.instance.language)  # type: ignore[attr-defined]

    def clean_suggestions(self) -> list[str]:
        lines: list[str] = self.cleaned_data["suggestions"]
        if len(lines) > SUGGESTIONS:
            raise ValidationError(_("At most six."))
        if any(len(line) > SUGGESTION_LENGTH for line in lines):
            raise ValidationError(_("A suggestion has at most 80 characters."))
        return lines

    def clean_accent(self) -> str:
        accent = self.cleaned_data["accent"]
        if accent and not re.fullmatch(r"#[0-9a-fA-F]{6}", accent):
            raise ValidationError(_("A colour like #0f766e."))
        return accent

    def clean_allowed_origins(self) -> str:
        lines = self.cleaned_data["allowed_origins"].splitlines()
        return "\n".join(origin(line.strip()) for line in lines if line.strip())

    def clean_staff_emails(self) -> str:
        lines = [line.strip() for line in self.cleaned_data["staff_emails"].splitlines()]
        for line in filter(None, lines):
            validate_email(line)
        return "\n".join(filter(None, lines))

    def save(self, commit: bool = True) -> Any:
        theme = self.instance.theme if isinstance(self.instance.theme, dict) else {}
        if self.cleaned_data["accent"]:
            theme = theme | {"accent": self.cleaned_data["accent"]}
        self.instance.theme = theme
        return super().save(commit)


def languages(current: str) -> list[tuple[str, str]]:
    known = dict(settings.LANGUAGES)
    return list(({current: current} | known).items()) if current else list(known.items())


def origin(line: str) -> str:
    """The origin of an address, without its path: what a browser sends."""
    try:
        parts = urlsplit(line)
        port = parts.port
    except ValueError as error:
        raise ValidationError(_("%(line)s is no address.") % {"line": line}) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        message = _("%(line)s must look like https://www.example.com.")
        raise ValidationError(message % {"line": line})
    default = {"http": 80, "https": 443}[parts.scheme]
    suffix = f":{port}" if port and port != default else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{suffix}"


def script_tag(site: Site, base: str) -> str:
    """What a web page needs to show the chat; as text, which the template escapes once more."""
    return f'<script src="{escape(base)}/widget.js" data-site="{escape(site.key)}" async></script>'


@admin.register(Site)
class SiteAdmin(ModelAdmin):
    form = SiteForm
    list_display = ("name", "key", "on", "persona", "collection", "language")
    list_select_related = ("persona", "collection")
    search_fields = ("name", "key")
    fieldsets = (
        (None, {"fields": (("name", "key"), "enabled", "allowed_origins")}),
        (_("What it knows"), {"fields": (("persona", "collection"), "facts")}),
        (_("How it begins"), {"fields": ("greeting", "suggestions", ("accent", "language"))}),
        (_("Staff and silence"), {"fields": ("staff_emails", "idle_days")}),
    )
    change_form_outer_before_template = "admin/desk/script_tag.html"
    warn_unsaved_form = True
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        return super().get_queryset(request).select_related("persona", "collection")

    def get_fieldsets(self, request: HttpRequest, obj: Site | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        # Who may only look sees no form: in place of its own fields, what they would say.
        instead = {"suggestions": "asked_first", "accent": "", "language": "spoken"}
        seen = [
            (title, [instead.get(name, name) for name in flat(options["fields"])])
            for title, options in fieldsets
        ]
        return [(title, {"fields": list(filter(None, names))}) for title, names in seen]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False
        site: Site | None = context.get("original")
        if site:
            base = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
            context["script_tag"] = script_tag(site, base)
        return super().render_change_form(request, context, *args, **more)

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
