"""The rows of a visitor's rights: what they agreed to, and who was erased.

What a site says of it stands in `Privacy`, which `Site` takes in.
"""

import hashlib
import json
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from salesagent.prepared import Row


class Privacy(Row):
    """A site's fields: what it tells visitors before they write, and how long it keeps what they
    say. A text is known by a version, which its content makes."""

    class Consent(models.TextChoices):
        NONE = "", _("Nothing is said")
        NOTICE = "notice", _("A notice: who writes has read it")
        ASK = "ask", _("A question: nobody writes before they agree")

    consent = models.CharField(
        _("before the first message"), max_length=6, choices=Consent, blank=True, default=""
    )
    consent_text = models.TextField(
        _("text"),
        max_length=1000,
        blank=True,
        help_text=_("Such as what is kept, for how long, and that an AI answers."),
    )
    consent_link = models.URLField(
        _("link"), blank=True, help_text=_("To the privacy policy, below the text.")
    )
    keep_days = models.PositiveIntegerField(
        _("days kept"),
        default=0,
        help_text=_(
            "After so many days of silence `manage.py prune` deletes a conversation and its lead. "
            "0: never."
        ),
    )

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        super().save(*args, **options)
        if self.consent:  # kept from now on: somebody may agree to it
            ConsentText.of(self)

    def consent_version(self) -> str:
        """Twelve hex digits; "" where nothing is said."""
        if not self.consent:
            return ""
        content = json.dumps([self.consent, self.consent_text, self.consent_link])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


class ConsentText(models.Model):
    """A text as it was shown on a site. It never changes; a change is a new version."""

    site = models.ForeignKey("chat.Site", on_delete=models.CASCADE, related_name="consent_texts")
    version = models.CharField(_("version"), max_length=12)
    kind = models.CharField(max_length=6, choices=Privacy.Consent)
    text = models.TextField(_("text"))
    link = models.URLField(_("link"), blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        ordering = ["site", "-created"]
        constraints = [
            models.UniqueConstraint(fields=["site", "version"], name="consent_version_once")
        ]

    def __str__(self) -> str:
        return self.version

    @classmethod
    def of(cls, site: Any) -> "ConsentText":
        """The site's text of now, stored if it was not."""
        shown = {"kind": site.consent, "text": site.consent_text, "link": site.consent_link}
        row, _made = cls.objects.get_or_create(
            site=site, version=site.consent_version(), defaults=shown
        )
        return row


class Consent(models.Model):
    """A visitor was shown a text before they wrote, and agreed to it where it asked."""

    visitor = models.ForeignKey("chat.Visitor", on_delete=models.CASCADE, related_name="consents")
    text = models.ForeignKey(ConsentText, on_delete=models.CASCADE, related_name="+")
    given = models.DateTimeField(_("given"), default=timezone.now)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["visitor", "given"]
        constraints = [models.UniqueConstraint(fields=["visitor", "text"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.given:%Y-%m-%d %H:%M} {self.text}"


class Erasure(models.Model):
    """Somebody was erased: what was issued to them before opens nothing any more.

    `mark` is a keyed hash of the visitor's id. `manage.py prune` takes the row away once every
    token of that time has run out.
    """

    mark = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
