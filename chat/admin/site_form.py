"""A site as a form in words: its JSON columns are fields that a person can fill in."""

import re
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from chat import hours, looks, origins
from chat.models import Site

SUGGESTIONS = 6
SUGGESTION_LENGTH = 80
GREETING_LENGTH = 300
PAGES = 20
PAGE_LENGTH = 200

# Which column holds what is edited by which fields, and under which name there.
THEME = {"accent": "accent", "side": "side", "radius": "radius", "scheme": "scheme"}
TEXTS = {f"text_{name}": name for name in looks.TEXTS}
GREETS = {
    "greets_on": "on",
    "greets_text": "text",
    "greets_after": "after",
    "greets_scroll": "scroll",
    "greets_exit": "exit",
    "greets_pages": "pages",
    "greets_daily": "daily",
}
COLUMNS = {"theme": THEME, "texts": TEXTS, "greets": GREETS}


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


class Suggestions(Lines):
    """What a visitor may click on at the start: so many as fit below the greeting."""

    def __init__(self, *, help_text: Any) -> None:
        super().__init__(label=_("Suggestions"), required=False, rows=4, help_text=help_text)

    def clean(self, value: Any) -> list[str]:
        lines: list[str] = super().clean(value)
        if len(lines) > SUGGESTIONS:
            raise ValidationError(_("At most six."))
        if any(len(line) > SUGGESTION_LENGTH for line in lines):
            raise ValidationError(_("A suggestion has at most 80 characters."))
        return lines


def text(name: str, label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=looks.TEXTS[name],
        widget=UnfoldAdminTextInputWidget,
        help_text=help_text,
    )


def whole(label: Any, low: int, high: int, help_text: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=low,
        max_value=high,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=help_text,
    )


def choice(label: Any, *choices: tuple[str, Any], help_text: Any = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=choices,
        widget=UnfoldAdminSelectWidget,
        help_text=help_text,
    )


def switch(label: Any, help_text: Any = "") -> forms.BooleanField:
    return forms.BooleanField(
        label=label, required=False, widget=UnfoldBooleanSwitchWidget, help_text=help_text
    )


class SiteForm(forms.ModelForm):
    """The model's JSON columns in words: lists one a line, the rest field by field."""

    suggestions = Suggestions(
        help_text=_(
            "Questions a visitor can click on at the start, one a line, at most six. Where the "
            "persona has none of its own."
        )
    )
    language = forms.ChoiceField(
        label=_("Language"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Spoken until the visitor's own is known."),
    )

    accent = forms.CharField(
        label=_("Colour"),
        required=False,
        widget=UnfoldAdminColorInputWidget,
        help_text=_("Of the button and of what the visitor says."),
    )
    side = choice(_("Corner"), ("", _("Bottom right")), ("left", _("Bottom left")))
    radius = whole(
        _("Roundness of corners"),
        0,
        looks.MAX_RADIUS,
        _("In pixels, 0 for square to 28 for very round; empty for the usual."),
    )
    scheme = choice(
        _("Light or dark"),
        ("", _("As the visitor's device is set")),
        ("light", _("Always light")),
        ("dark", _("Always dark")),
    )

    avatar = forms.URLField(
        label=_("Picture of the agent"),
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text=_("Its address on the web; empty: the persona's."),
    )

    consent_link = forms.URLField(
        label=_("Link"),
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text=_("To the privacy policy, below the text."),
    )

    text_title = text("title", _("Title"), _("Empty: the site's name."))
    text_subtitle = text("subtitle", _("Line below the title"))
    text_placeholder = text(
        "placeholder",
        _("In the empty input"),
        _("Texts stand as they are for visitors of every language; empty ones are translated."),
    )
    text_hint = text("hint", _("Small print below the input"), _("Such as who reads along."))

    greets_on = switch(_("On"), _("A small card above the button; never twice on a page."))
    greets_text = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=GREETING_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=_("Empty: the greeting."),
    )
    greets_after = whole(
        _("After seconds"), 0, looks.MAX_AFTER, _("On the page. Whichever comes first counts.")
    )
    greets_scroll = whole(_("After scrolling, in percent"), 1, 100, _("Of the page's length."))
    greets_exit = switch(_("When about to leave"), _("The pointer goes up to close the page."))
    greets_pages = Lines(
        label=_("On these pages"),
        required=False,
        rows=3,
        help_text=_("Paths, one a line, like /pricing or /products/*. Empty: on all."),
    )
    greets_daily = switch(_("Once a day at most"), _("For each visitor; otherwise once a visit."))

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
            "avatar",
            "staff_emails",
            "office_hours",
            "office_zone",
            "answer_within",
            "idle_days",
            "consent",
            "consent_text",
            "consent_link",
            "keep_days",
            "daily_budget",
        )
        help_texts = {"greeting": _("Said where the persona has no greeting of its own.")}
        widgets = {
            "allowed_origins": UnfoldAdminTextareaWidget({"rows": 3}),
            "facts": UnfoldAdminTextareaWidget({"rows": 6}),
            "greeting": UnfoldAdminTextareaWidget({"rows": 3}),
            "staff_emails": UnfoldAdminTextareaWidget({"rows": 3}),
            "office_hours": UnfoldAdminTextareaWidget({"rows": 3}),
            "consent_text": UnfoldAdminTextareaWidget({"rows": 3}),
        }

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if "accent" not in self.fields:  # for who may only look
            return
        for column, named in COLUMNS.items():
            held = self._held(column)
            for name, key in named.items():
                self.initial.setdefault(name, held.get(key))
        self.initial["accent"] = self.initial["accent"] or looks.ACCENT
        if "keep_days" in self.fields:
            self.fields["keep_days"].required = False
        self.fields["language"].choices = languages(self.instance.language)  # type: ignore[attr-defined]

    def _held(self, column: str) -> dict[str, Any]:
        held = getattr(self.instance, column)
        return held if isinstance(held, dict) else {}

    # --- What is taken --------------------------------------------------------------------------

    def clean_accent(self) -> str:
        accent = self.cleaned_data["accent"]
        if accent and not re.fullmatch(r"#[0-9a-fA-F]{6}", accent):
            raise ValidationError(_("A colour like #0f766e."))
        return accent if accent.lower() != looks.ACCENT else ""

    def clean_avatar(self) -> str:
        return web_address(self.cleaned_data["avatar"])

    def clean_keep_days(self) -> int:
        return self.cleaned_data["keep_days"] or 0

    def clean_consent_link(self) -> str:
        return web_address(self.cleaned_data["consent_link"])

    def clean_allowed_origins(self) -> str:
        lines = self.cleaned_data["allowed_origins"].splitlines()
        return "\n".join(origin(line.strip()) for line in lines if line.strip())

    def clean_office_hours(self) -> str:
        text: str = self.cleaned_data["office_hours"]
        try:
            hours.parse(text)
        except ValueError as error:
            raise ValidationError(
                _("“%(line)s” is no span. Write lines like Mon-Fri 9:00-17:30."),
                params={"line": str(error)[:60]},
            ) from None
        return text

    def clean_office_zone(self) -> str:
        zone: str = self.cleaned_data["office_zone"].strip()
        if zone not in available_timezones():
            raise ValidationError(_("A time zone is named like Europe/Berlin, or UTC."))
        return zone

    def clean_staff_emails(self) -> str:
        lines = [line.strip() for line in self.cleaned_data["staff_emails"].splitlines()]
        for line in filter(None, lines):
            validate_email(line)
        return "\n".join(filter(None, lines))

    def clean_greets_pages(self) -> list[str]:
        lines: list[str] = self.cleaned_data["greets_pages"]
        if len(lines) > PAGES:
            raise ValidationError(_("At most twenty pages."))
        for line in lines:
            if not re.fullmatch(r"/[^\s?#]*", line) or len(line) > PAGE_LENGTH:
                message = _("%(line)s must be a path like /pricing or /products/*.")
                raise ValidationError(message % {"line": line})
        return lines

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        self._check_privacy(data)
        if not data.get("greets_on"):
            return data
        version = data["persona"].published if data.get("persona") else None
        said = data.get("greets_text") or data.get("greeting") or (version and version.greeting)
        if "greeting" in data and not said:
            self.add_error("greets_text", _("Write what it says, here or as the greeting."))
        rules = ("greets_after", "greets_scroll", "greets_exit")
        given = any(data.get(rule) or data.get(rule) == 0 for rule in rules[:2])
        if not (given or data.get("greets_exit") or self.errors.keys() & set(rules)):
            message = _("Say when: after seconds, after scrolling, or when about to leave.")
            self.add_error("greets_after", message)
        return data

    def _check_privacy(self, data: dict[str, Any]) -> None:
        if data.get("consent") and not data.get("consent_text", "x").strip():
            self.add_error("consent_text", _("Write what visitors are told."))
        keep, idle = data.get("keep_days"), data.get("idle_days")
        if keep and idle is not None and keep < idle:
            message = _(
                "Not shorter than the idle days, %(days)s: until then a conversation goes on."
            )
            self.add_error("keep_days", message % {"days": idle})

    # --- What is kept ---------------------------------------------------------------------------

    def save(self, commit: bool = True) -> Any:
        for column, named in COLUMNS.items():
            told = {key: self.cleaned_data[name] for name, key in named.items()}
            # What these fields do not know was put there by hand, and stays.
            kept = {k: v for k, v in self._held(column).items() if k not in told}
            set_ = {k: v for k, v in told.items() if v or type(v) is int}
            setattr(self.instance, column, kept | set_)
        return super().save(commit)


def languages(current: str) -> list[tuple[str, str]]:
    known = dict(settings.LANGUAGES)
    return list(({current: current} | known).items()) if current else list(known.items())


def web_address(address: str) -> str:
    if address and not address.startswith(("https://", "http://")):
        raise ValidationError(_("An address that begins with https://."))
    return address


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
    found = origins.written(f"{parts.scheme}://{host}{suffix}")
    if found is None:
        raise ValidationError(_("%(line)s is no address.") % {"line": line})
    return found
