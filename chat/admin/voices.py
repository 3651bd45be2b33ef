"""Voices for staff: how a persona sounds, the catalogue, what visitors heard, what is kept."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from chat import speaking
from chat.admin.conversations import ReadOnlyAdmin
from chat.admin.money import readable
from chat.budgets import Refused
from voice import catalogue, clips, engines
from voice.models import Clip, ClipUse
from voice.voices import FASTEST, SLOWEST, SpeechFailed, type_of

SPOKEN = ("voice", "voice_model", "voice_language", "voice_speed")
FIELDSET = (
    _("The voice"),
    {"fields": (("voice", "voice_language"), ("voice_model", "voice_speed"), "listen")},
)
# What a sample says.
SAMPLE = "Hello! How may I help you today? A desk for your team costs 499 dollars."


class ListenWidget(forms.Widget):
    """A button that says something with what the form holds."""

    template_name = "admin/desk/listen.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        return render_to_string(
            self.template_name, {"address": reverse("admin:voice_clip_listen"), "form": True}
        )


class VoicesWidget(UnfoldAdminTextInputWidget):
    """A line to type into that offers the catalogue: by name, language, accent or gender."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        found = catalogue.known() if engines.paid() else []
        line = super().render(name, value, {**(attrs or {}), "list": "voices"}, renderer)
        return render_to_string("admin/desk/voices_list.html", {"line": line, "voices": found})


class VoiceFields(forms.Form):
    """The part of a persona's form that says how it sounds."""

    voice = forms.CharField(
        label=_("Voice"),
        max_length=120,
        required=False,
        help_text=_("Empty: one that speaks the visitor's language. See the catalogue of voices."),
        widget=VoicesWidget,
    )
    voice_language = forms.CharField(
        label=_("Spoken language"),
        max_length=10,
        required=False,
        help_text=_("A code like en or de, or auto. Empty: as the voice speaks."),
        widget=UnfoldAdminTextInputWidget,
    )
    voice_model = forms.CharField(
        label=_("Voice's model"),
        max_length=60,
        required=False,
        help_text=_("Empty: as set for the server."),
        widget=UnfoldAdminTextInputWidget,
    )
    voice_speed = forms.FloatField(
        label=_("Speed"),
        required=False,
        validators=[MinValueValidator(SLOWEST), MaxValueValidator(FASTEST)],
        help_text=_("0.5 to 2; empty: 1."),
        widget=UnfoldAdminDecimalFieldWidget({"step": "0.05"}),
    )
    listen = forms.CharField(label="", required=False, widget=ListenWidget)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        data = self.cleaned_data if cleaned is None else cleaned
        voice, model = data.get("voice", ""), data.get("voice_model") or settings.VOICE_MODEL
        if voice and engines.paid():
            found = catalogue.known()
            if catalogue.mismatch(voice, model, found):
                text = gettext(
                    "%(voice)s is no voice of the model %(model)s: it would say something else."
                )
                self.add_error("voice", text % {"voice": voice, "model": model})
            elif found and voice not in {each.id for each in found}:
                self.add_error("voice", gettext("There is no such voice in the catalogue."))
        return cleaned


# --- Playing --------------------------------------------------------------------------------------


def listen_view(request: HttpRequest) -> HttpResponse:
    """A sample of the voice that the form holds, spoken now or kept from before."""
    if not request.user.has_perm("chat.change_persona"):
        raise PermissionDenied
    if engines.output() != "server":
        return _sentence(gettext("Browsers speak here: there is no voice to listen to."), 409)
    form = VoiceFields(request.POST)
    if not form.is_valid():
        return _sentence(
            " ".join(str(text) for texts in form.errors.values() for text in texts), 400
        )
    chosen = form.cleaned_data
    voice = engines.voice(
        chosen["voice_language"] or settings.LANGUAGE_CODE,
        name=chosen["voice"],
        model=chosen["voice_model"],
        speed=chosen["voice_speed"],
        spoken=chosen["voice_language"],
    )
    try:
        audio = speaking.speak_now(SAMPLE, voice)
    except Refused:
        return _sentence(gettext("Nothing may be paid for now: see Spending."), 429)
    except SpeechFailed as failed:
        return _sentence(str(failed), 503)
    return _audio(audio)


def heard_view(request: HttpRequest, message: uuid.UUID) -> HttpResponse:
    """Segment `n` of a message as its visitor heard it, while that is kept."""
    if not request.user.has_perm("chat.view_conversation"):
        raise PermissionDenied
    n = request.POST.get("n", "0")
    uses = ClipUse.objects.filter(message=message, n=int(n) if n.isdecimal() and len(n) < 5 else 0)
    use = uses.select_related("clip").order_by("-pk").first()
    audio = clips.read(use.clip_id) if use else None
    if use is None or audio is None:
        raise Http404
    return _audio(audio)


def _audio(audio: bytes) -> HttpResponse:
    return HttpResponse(audio, content_type=type_of(audio), headers={"Cache-Control": "no-store"})


def _sentence(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


# --- The cache and the catalogue ------------------------------------------------------------------


@admin.register(Clip)
class ClipAdmin(ReadOnlyAdmin):
    """What is kept of spoken words, and what that has saved."""

    list_display = ("key_short", "format", "characters", "size", "hits", "saved", "used")
    ordering = ("-hits", "-used")
    list_per_page = 50
    fields = ("key", "format", "characters", "size", "hits", "created", "used")
    list_before_template = "admin/desk/clips.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("catalogue/", wrap(self.catalogue_view), name="voice_clip_catalogue"),
            path("listen/", wrap(require_POST(listen_view)), name="voice_clip_listen"),
            path("heard/<uuid:message>/", wrap(require_POST(heard_view)), name="voice_clip_heard"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        more = {"title": _("Spoken segments"), "figures": clips.figures()}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def catalogue_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("chat.view_persona"):
            raise PermissionDenied
        asked = request.GET.get("q", "")[:100]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Voices"),
            "asked": asked,
            **_found(asked),
            "listen": reverse("admin:voice_clip_listen"),
            "may_listen": request.user.has_perm("chat.change_persona"),
        }
        return TemplateResponse(request, "admin/desk/catalogue.html", context)

    @admin.display(description=_("segment"))
    def key_short(self, row: Clip) -> str:
        return str(row)

    @admin.display(description=_("saved"))
    def saved(self, row: Clip) -> str:
        return readable(row.hits * row.cost)


def _found(asked: str) -> dict[str, Any]:
    if not engines.paid():
        return {"voices": [], "why": _("Only the voices of Smallest.ai have a catalogue.")}
    try:
        found = [*catalogue.own(), *catalogue.entries()]
    except SpeechFailed as failed:
        return {"voices": [], "why": str(failed)}
    return {"voices": [each for each in found if each.matches(asked.split())], "why": ""}
