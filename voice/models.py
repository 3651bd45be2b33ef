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
