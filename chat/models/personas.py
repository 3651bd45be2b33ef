"""Who speaks on a site, and every version of what it is told."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from salesagent.prepared import Row


class Persona(Row):
    """Who speaks on a site. What it says is in its versions, of which one is published."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    published = models.ForeignKey(
        "PersonaVersion",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published version"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PersonaVersion(Row):
    """One state of a persona. It never changes once written; a change is a new version."""

    persona = models.ForeignKey(
        Persona, on_delete=models.CASCADE, related_name="versions", verbose_name=_("persona")
    )
    number = models.PositiveIntegerField(_("number"))
    agent_name = models.CharField(_("agent's name"), max_length=60)
    avatar = models.URLField(_("avatar"), blank=True)
    instructions = models.TextField(_("instructions"))
    tone = models.CharField(_("tone"), max_length=300, blank=True)
    limits = models.TextField(_("limits"), blank=True)  # what it never says or promises
    # What stands there before anything is said; empty: the site's.
    greeting = models.TextField(_("greeting"), max_length=1000, blank=True)
    suggestions = models.JSONField(_("suggestions"), default=list, blank=True)
    # Names of tools it may not use; so that a tool that is new is not off on older versions.
    tools_off = models.JSONField(_("tools it may not use"), default=list, blank=True)
    model = models.CharField(_("model"), max_length=120, blank=True)  # empty: CHAT_MODEL
    temperature = models.FloatField(_("temperature"), null=True, blank=True)
    reply_tokens = models.PositiveIntegerField(_("tokens of a reply"), null=True, blank=True)
    voice = models.CharField(_("voice"), max_length=120, blank=True)  # empty: by the language
    voice_model = models.CharField(_("voice's model"), max_length=60, blank=True)
    voice_language = models.CharField(_("spoken language"), max_length=10, blank=True)
    voice_speed = models.FloatField(_("speed of speech"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("persona version")
        verbose_name_plural = _("persona versions")
        ordering = ["persona", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["persona", "number"], name="version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.persona.name} v{self.number}"
