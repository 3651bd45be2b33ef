"""Personas: one plain form whose every save is a new version, and one click to publish.

Beside it (`workbench.py`) what stands out in the draft, and a place to talk with it.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from chat import personas
from chat.admin.conversations import ReadOnlyAdmin
from chat.admin.desk import as_written, labelled, link_to
from chat.admin.gaps import Gaps
from chat.admin.site_form import Suggestions
from chat.admin.voices import FIELDSET, SPOKEN, VoiceFields
from chat.admin.workbench import Workbench, trial_site
from chat.models import Persona, PersonaVersion

SAID = (
    "agent_name",
    "avatar",
    "instructions",
    "tone",
    "limits",
    "greeting",
    "suggestions",
    "model",
    "temperature",
    "reply_tokens",
    *SPOKEN,
)
TOOLS = {
    "save_lead": _("Save what visitors tell of themselves as a lead"),
    "hand_over": _("Call a person of the team"),
    "offer_replies": _("Offer answers as buttons"),
}
VERSIONS_SHOWN = 100
PUBLISH = "chat_persona_save_and_publish"  # the button's name in the form


class PersonaForm(VoiceFields, forms.ModelForm):
    """A persona's name, and its newest version to write on from."""

    agent_name = forms.CharField(
        label=_("Agent's name"),
        max_length=60,
        help_text=_("As visitors see it."),
        widget=UnfoldAdminTextInputWidget,
    )
    avatar = forms.URLField(
        label=_("Avatar"),
        required=False,
        assume_scheme="https",
        help_text=_("The address of a picture. Empty: the first letter of the name."),
        widget=UnfoldAdminURLInputWidget,
    )
    instructions = forms.CharField(
        label=_("Instructions"),
        help_text=_(
            "Who the agent is and for whom it speaks, how it finds the need, what it may promise,"
            " when it hands over. What it knows stands in the knowledge, not here. {agent} and"
            " {company} stand for the agent's name and the site's."
        ),
        widget=UnfoldAdminTextareaWidget({"rows": 22}),
    )
    tone = forms.CharField(
        label=_("Tone"),
        max_length=300,
        required=False,
        help_text=_("Such as: warm and brief, no exclamation marks, first names."),
        widget=UnfoldAdminTextInputWidget,
    )
    limits = forms.CharField(
        label=_("Limits"),
        max_length=4000,
        required=False,
        help_text=_("What it never says or promises, one a line."),
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
    )
    greeting = forms.CharField(
        label=_("Greeting"),
        max_length=1000,
        required=False,
        help_text=_(
            "What stands there before the visitor says anything. Empty: the site's. {agent} and"
            " {company} are filled in."
        ),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )
    suggestions = Suggestions(
        help_text=_("Questions to click on, one a line, at most six. Empty: the site's.")
    )
    tools = forms.MultipleChoiceField(
        label=_("Tools"),
        required=False,
        choices=list(TOOLS.items()),
        initial=list(TOOLS),
        help_text=_("What it may do beside talking."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    model = forms.CharField(
        label=_("Model"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    temperature = forms.FloatField(
        label=_("Temperature"),
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(2)],
        help_text=_("0 to 2; empty: the model's own."),
        widget=UnfoldAdminDecimalFieldWidget({"step": "0.1"}),
    )
    reply_tokens = forms.IntegerField(
        label=_("Tokens of a reply"),
        required=False,
        validators=[MinValueValidator(50), MaxValueValidator(8000)],
        help_text=_("At most; 4 tokens are about 3 words. Empty: as set for the server."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    note = forms.CharField(
        label=_("What changed"),
        max_length=200,
        required=False,
        help_text=_("A line for your colleagues, kept with the version."),
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Persona
        fields = ("name",)
        help_texts = {"name": _("For staff; visitors never see it.")}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.newest = self.instance.versions.first() if self.instance.pk else None
        if self.newest:
            for name in SAID:
                self.initial.setdefault(name, getattr(self.newest, name))
            may = [name for name in TOOLS if name not in self.newest.tools_off]
            self.initial.setdefault("tools", may)
        else:
            self.initial.setdefault("instructions", personas.DEFAULT_INSTRUCTIONS)
        if "model" in self.fields:
            self.fields["model"].help_text = _("Empty: %(model)s.") % {"model": settings.CHAT_MODEL}

    def clean_instructions(self) -> str:
        # Browsers send CRLF; a version's text has plain line ends, so that like compares with like.
        return "\n".join(self.cleaned_data["instructions"].splitlines())

    def clean_limits(self) -> str:
        return "\n".join(self.cleaned_data["limits"].splitlines())

    def clean_greeting(self) -> str:
        return "\n".join(self.cleaned_data["greeting"].splitlines())

    def version_fields(self) -> dict[str, Any]:
        said = {name: self.cleaned_data[name] for name in SAID}
        # A tool that this form does not know stays as it was.
        before = self.newest.tools_off if self.newest else []
        off = [name for name in TOOLS if name not in self.cleaned_data["tools"]]
        return {**said, "tools_off": off + [name for name in before if name not in TOOLS]}


@admin.register(Persona)
class PersonaAdmin(Gaps, Workbench):
    form = PersonaForm
    list_display = ("name", "speaking", "newest", "used_by")
    search_fields = ("name",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    ("agent_name", "avatar"),
                    "instructions",
                    "tone",
                    "limits",
                    "tools",
                )
            },
        ),
        (_("How it begins"), {"fields": ("greeting", "suggestions")}),
        (_("The model"), {"fields": ("model", ("temperature", "reply_tokens"))}),
        FIELDSET,
        (_("This version"), {"fields": ("note",)}),
    )
    change_form_outer_after_template = "admin/desk/workbench.html"
    actions_submit_line = ("save_and_publish",)
    warn_unsaved_form = True
    compressed_fields = False

    class Media:
        js = ("admin_desk/playground.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Persona]:
        rows = super().get_queryset(request).select_related("published")
        return rows.annotate(newest_number=Max("versions__number")).prefetch_related("sites")

    def get_fieldsets(self, request: HttpRequest, obj: Persona | None = None) -> Any:
        if obj and not self.has_change_permission(request, obj):
            return [(None, {"fields": ("name", "published")})]
        return super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: Persona, form: Any, change: bool) -> None:
        # `name` alone: `published` belongs to `personas.publish`, and may have moved meanwhile.
        obj.save(update_fields=["name"] if change else None)
        self._save_version(request, obj, form)
        if PUBLISH in request.POST:
            self.save_and_publish(request, obj)

    def _save_version(self, request: HttpRequest, persona: Persona, form: PersonaForm) -> None:
        version = personas.save_version(
            persona, author=request.user, note=form.cleaned_data["note"], **form.version_fields()
        )
        if version == form.newest:
            line = _("Saved. The agent's words are as before: version %(number)s.")
        elif PUBLISH in request.POST:
            return  # that says it
        else:
            line = _("Version %(number)s is written. It speaks once it is published.")
        messages.info(request, line % {"number": version.number})

    def response_add(self, request: HttpRequest, obj: Persona, *args: Any) -> HttpResponse:
        return self._back_to(obj.pk)

    def response_change(self, request: HttpRequest, obj: Persona) -> HttpResponse:
        return self._back_to(obj.pk)  # where the new version waits to be published

    def _back_to(self, persona_id: int) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:chat_persona_change", args=[persona_id]))

    @action(description=_("Save and publish"), permissions=["change"])  # type: ignore[untyped-decorator]
    def save_and_publish(self, request: HttpRequest, obj: Persona) -> None:
        newest = obj.versions.first()
        if newest and newest.pk != obj.published_id:
            self._publish(request, newest)

    def _publish(self, request: HttpRequest, version: PersonaVersion) -> None:
        personas.publish(version, by=request.user)
        self.log_change(request, version.persona, f"Published version {version.number}")
        messages.success(
            request,
            _("Version %(number)s is published. It speaks from the next turn on.")
            % {"number": version.number},
        )

    def get_urls(self) -> list[URLPattern]:
        publish = self.admin_site.admin_view(require_POST(self.publish_view))
        return [
            path("<int:persona_id>/publish/<int:number>/", publish, name="chat_persona_publish"),
            *super().get_urls(),
        ]

    def publish_view(self, request: HttpRequest, persona_id: int, number: int) -> HttpResponse:
        version = get_object_or_404(
            PersonaVersion.objects.select_related("persona"), persona=persona_id, number=number
        )
        if not self.has_change_permission(request, version.persona):
            raise PermissionDenied
        self._publish(request, version)
        return self._back_to(persona_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        persona: Persona | None = context.get("original")
        if persona:
            versions = persona.versions.select_related("author")
            context["versions"] = versions[:VERSIONS_SHOWN]
            context["trial_site"] = trial_site(persona)
            context["published_id"] = persona.published_id
            context["published_number"] = persona.published.number if persona.published else 0
            context["may_read"] = request.user.has_perm("chat.view_conversation")
            context["may_publish"] = self.has_change_permission(request, persona)
        return super().render_change_form(request, context, *args, **more)

    @labelled(_("published"), {"none": "warning", "newest": "success", "older": ""})
    def speaking(self, persona: Any) -> tuple[str, Any]:
        if persona.published is None:
            return "none", _("nothing published")
        number = persona.published.number
        return ("newest" if number == persona.newest_number else "older"), f"v{number}"

    @admin.display(description=_("newest version"))
    def newest(self, persona: Any) -> str:
        return f"v{persona.newest_number}" if persona.newest_number else "–"

    @admin.display(description=_("sites"))
    def used_by(self, persona: Persona) -> str:
        return ", ".join(site.name for site in persona.sites.all()) or "–"


@admin.register(PersonaVersion)
class PersonaVersionAdmin(ReadOnlyAdmin):
    """To read one version. Not in the navigation: it is reached from its persona."""

    list_display = ("of_persona", "number", "agent_name", "author", "created", "note")
    list_display_links = ("number",)
    list_select_related = ("persona", "author")
    list_per_page = 50
    ordering = ("-created",)
    fields = (
        ("of_persona", "number"),
        ("author", "created"),
        "note",
        ("agent_name", "avatar"),
        "said",
        "tone",
        "never",
        "begins",
        "asked_first",
        ("model", "temperature", "reply_tokens"),
        SPOKEN,
    )
    readonly_fields = ("of_persona", "created", "said", "never", "begins", "asked_first")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A version never goes by itself, since messages name it; it goes with its persona.
        return "personaversion" not in (getattr(request.resolver_match, "url_name", "") or "")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=_("instructions"))
    def said(self, version: PersonaVersion) -> SafeString:
        return as_written(version.instructions)

    @admin.display(description=_("limits"))
    def never(self, version: PersonaVersion) -> SafeString:
        return as_written(version.limits or "–")

    @admin.display(description=_("greeting"))
    def begins(self, version: PersonaVersion) -> SafeString:
        return as_written(version.greeting or "–")

    @admin.display(description=_("suggestions"))
    def asked_first(self, version: PersonaVersion) -> SafeString:
        return as_written("\n".join(map(str, version.suggestions)) or "–")

    @admin.display(description=_("persona"), ordering="persona__name")
    def of_persona(self, version: PersonaVersion) -> SafeString:
        return link_to("admin:chat_persona_change", version.persona_id, version.persona)
