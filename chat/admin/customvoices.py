"""Custom voices: made of a recording whose speaker has agreed, used in personas, deleted again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanWidget

from voice import catalogue, engines, smallest
from voice.models import CustomVoice
from voice.voices import SpeechFailed

LARGEST = 5 * 1024 * 1024  # bytes that the service takes
TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "webm": "audio/webm", "mp4": "audio/mp4"}


class CustomVoiceForm(forms.ModelForm):
    recording = forms.FileField(
        label=_("Recording"),
        help_text=_("5 to 15 seconds of clear speech, at most 5 MB: mp3, wav, webm or mp4."),
        widget=UnfoldAdminFileFieldWidget,
    )
    agreed = forms.BooleanField(
        label=_("Whoever speaks has agreed to it"),
        help_text=_("In writing, to this voice being made and speaking to visitors."),
        widget=UnfoldBooleanWidget,
    )

    class Meta:
        model = CustomVoice
        fields = ("name", "language", "model", "speaker")

    def clean_recording(self) -> Any:
        given = self.cleaned_data["recording"]
        if given.size > LARGEST or given.name.rpartition(".")[2].lower() not in TYPES:
            raise ValidationError(_("At most 5 MB, and mp3, wav, webm or mp4."))
        return given

    def clean(self) -> dict[str, Any] | None:
        """Makes the voice: what the service refuses is said in the form, and nothing is stored."""
        data = super().clean() or self.cleaned_data
        if not engines.paid():
            raise ValidationError(_("Only Smallest.ai makes voices: set SMALLEST_API_KEY."))
        if not self.errors:
            given = data["recording"]
            sample = (
                f"sample.{given.name.rpartition('.')[2].lower()}",
                given.read(),
                TYPES[given.name.rpartition(".")[2].lower()],
            )
            try:
                self.instance.voice_id = smallest.clone(
                    data["name"], sample, language=data["language"], model=data["model"]
                )
            except SpeechFailed as failed:
                raise ValidationError(str(failed)) from None
        return data


@admin.register(CustomVoice)
class CustomVoiceAdmin(ModelAdmin):
    """Each is made once and never changed; the recording itself is not kept here."""

    list_display = ("name", "voice_id", "language", "model", "speaker", "status", "consented")
    readonly_fields = ("voice_id", "consented", "by", "status")
    compressed_fields = False

    def get_form(self, request: HttpRequest, obj: Any = None, **more: Any) -> Any:
        return super().get_form(request, obj, **{**more, **({} if obj else self._making)})

    _making: Any = {"form": CustomVoiceForm}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("name", ("language", "model"), "recording", "speaker", "agreed")
        return ("name", "voice_id", "status", ("language", "model"), ("speaker", "consented", "by"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.by = request.user.get_username()
        obj.save()
        catalogue.forget()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for each in queryset:
            self._delete(request, each)

    def _delete(self, request: HttpRequest, voice: CustomVoice) -> None:
        """At the service first: what stays there must stay here, to be seen."""
        try:
            smallest.delete_clone(voice.voice_id)
        except SpeechFailed as failed:
            if voice.voice_id in {each.id for each in catalogue.known()}:
                text = _("%(voice)s is still there: %(why)s")
                messages.error(request, text % {"voice": voice, "why": failed})
                return
        catalogue.forget()
        voice.delete()

    @admin.display(description=_("status"))
    def status(self, row: CustomVoice) -> str:
        try:
            found = {each.id: each.status for each in catalogue.own()} if engines.paid() else {}
        except SpeechFailed:
            return "–"
        return found.get(row.voice_id) or "–"
