"""What is kept of spoken words: an index of the cache, and which messages were heard from it."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Clip(models.Model):
    """Audio of one text in one voice, found by a hash of both. The audio is in a storage.

    `cost` is what it took to speak, in billionths of a US dollar, and so what each hit saves.
    """

    key = models.CharField(max_length=64, primary_key=True)
    format = models.CharField(_("format"), max_length=3)
    characters = models.PositiveIntegerField(_("characters"))
    size = models.PositiveIntegerField(_("bytes"))
    cost = models.BigIntegerField(default=0)
    hits = models.PositiveIntegerField(_("hits"), default=0)
    created = models.DateTimeField(_("spoken"), default=timezone.now)
    used = models.DateTimeField(_("last heard"), default=timezone.now, db_index=True)

    class Meta:
        default_permissions = ("view", "delete")
        verbose_name = _("spoken segment")
        verbose_name_plural = _("spoken segments")
        ordering = ["-used"]

    def __str__(self) -> str:
        return self.key[:12]


class ClipUse(models.Model):
    """A message's segment `n` was heard from this clip; with the last such message it goes, too."""

    clip = models.ForeignKey(Clip, on_delete=models.CASCADE, related_name="uses")
    message = models.UUIDField(db_index=True)
    n = models.PositiveSmallIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["clip", "message", "n"], name="clip_use_once"),
        ]

    def __str__(self) -> str:
        return f"{self.clip_id[:12]} {str(self.message)[:8]}"


class CustomVoice(models.Model):
    """A voice that the service made of a person's recording, who has agreed to it."""

    LANGUAGES = [
        *[("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("fr", "Français")],
        *[("it", "Italiano"), ("pt", "Português"), ("nl", "Nederlands"), ("hi", "हिन्दी")],
    ]
    MODELS = [("lightning-v3.1-pro", "lightning_v3.1_pro"), ("lightning-v3.1", "lightning_v3.1")]

    voice_id = models.CharField(_("voice"), max_length=120, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100)
    language = models.CharField(_("language"), max_length=5, choices=LANGUAGES, default="en")
    model = models.CharField(_("model"), max_length=30, choices=MODELS, default=MODELS[0][0])
    speaker = models.CharField(_("who speaks"), max_length=120)
    consented = models.DateTimeField(_("agreed"), default=timezone.now, editable=False)
    by = models.CharField(_("recorded by"), max_length=150, editable=False)

    class Meta:
        verbose_name = _("custom voice")
        verbose_name_plural = _("custom voices")
        default_permissions = ("add", "view", "delete")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
