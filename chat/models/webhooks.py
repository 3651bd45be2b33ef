"""Which addresses of the company hear of leads, and what became of each message to them."""

import base64
import secrets
import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.leads import Lead
from chat.models.sites import Site


def new_secret() -> str:
    """256 bits of chance, in the writing of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Webhook(models.Model):
    """An address that is told of every lead of a site."""

    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="webhooks", verbose_name=_("site")
    )
    url = models.URLField(
        _("address"), max_length=500, help_text=_("https, on a server of yours that is public.")
    )
    secret = models.CharField(max_length=80, default=new_secret, editable=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["site", "url"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to a webhook. Its body is made from the lead as it is when it is sent, so no
    copy of anybody's data lies here; it goes with the lead."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")

    class Event(models.TextChoices):
        CREATED = "lead.created", _("a new lead")
        UPDATED = "lead.updated", _("a lead has changed")
        PING = "ping", _("a test")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="deliveries",
        verbose_name=_("lead"),
    )
    event = models.CharField(_("event"), max_length=12, choices=Event)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due = models.DateTimeField(_("next attempt"), default=timezone.now)
    status = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    # The last attempts: {"at": ISO time, "status": number or null, "ms": number, "error": word}.
    log = models.JSONField(_("log"), default=list, blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)
    delivered = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created"]
        constraints = [
            # What changes again before it was sent goes out once.
            models.UniqueConstraint(
                fields=["webhook", "lead"],
                condition=Q(state="waiting", attempts=0),
                name="delivery_waits_once",
            )
        ]
        indexes = [
            models.Index(fields=["-created"], name="delivery_newest"),
            models.Index(fields=["due"], name="delivery_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return str(self.id)[:8]
