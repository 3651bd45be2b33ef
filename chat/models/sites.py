"""A website with the chat on it."""

import secrets

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.models.personas import Persona
from chat.privacy import Privacy


def new_identity_key() -> str:
    """What a company's server signs its visitors' identity with: 256 bits of chance."""
    return secrets.token_hex(32)


class Site(Privacy):
    """A website with the chat on it."""

    key = models.CharField(
        _("public key"),
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z0-9][a-z0-9-]*$", _("Small letters, digits and dashes."))
        ],
        help_text=_("Stands in the script tag as data-site."),
    )
    name = models.CharField(_("name"), max_length=120)
    enabled = models.BooleanField(_("enabled"), default=True)
    allowed_origins = models.TextField(
        _("allowed origins"),
        blank=True,
        help_text=_(
            "One a line, like https://www.example.com. The server's own is always allowed."
        ),
    )
    persona = models.ForeignKey(
        Persona, on_delete=models.PROTECT, related_name="sites", verbose_name=_("persona")
    )
    collection = models.ForeignKey(
        "knowledge.Collection",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("knowledge"),
    )
    facts = models.TextField(
        _("facts"),
        blank=True,
        help_text=_(
            "What the agent must always know: who you are, opening hours, how to reach you."
        ),
    )
    greeting = models.TextField(_("greeting"), max_length=1000, blank=True)
    suggestions = models.JSONField(_("suggestions"), default=list, blank=True)
    # accent "#rrggbb", side "left" or "right", radius in px, scheme "light" or "dark"
    theme = models.JSONField(_("theme"), default=dict, blank=True)
    avatar = models.URLField(_("avatar"), blank=True)  # in place of the persona's
    # The company's own words for title, subtitle, placeholder and hint of the panel.
    texts = models.JSONField(_("texts"), default=dict, blank=True)
    # When the closed chat greets by itself: see `looks.greeting`.
    greets = models.JSONField(_("greets by itself"), default=dict, blank=True)
    identity_key = models.CharField(max_length=64, default=new_identity_key, editable=False)
    language = models.CharField(_("language"), max_length=10, default="en")
    staff_emails = models.TextField(
        _("e-mail to"),
        blank=True,
        help_text=_("Who hears of leads and calls for help. One a line."),
    )
    # chat/hours.py reads it.
    office_hours = models.TextField(
        _("office hours"),
        blank=True,
        help_text=_(
            "When somebody can come: a line like Mon-Fri 9:00-17:30 for each span. Empty: always."
        ),
    )
    office_zone = models.CharField(_("time zone"), max_length=40, default="UTC")
    answer_within = models.PositiveIntegerField(
        _("minutes until nobody comes"),
        default=5,
        validators=[MaxValueValidator(1440)],
        help_text=_(
            "A visitor who waits for a person so long is told, asked for an address, and served by "
            "the agent. Who has taken over and stays silent for twice as long hands back. 0: never."
        ),
    )
    idle_days = models.PositiveIntegerField(
        _("idle days"),
        default=30,
        help_text=_("After so many days of silence a conversation ends."),
    )
    daily_budget = models.DecimalField(
        _("budget a day, USD"),
        max_digits=9,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_(
            "What models may cost a day (UTC); then the guided seller answers, which costs "
            "nothing. Empty: CHAT_BUDGET_SITE."
        ),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def origins(self) -> set[str]:
        return {line.strip().rstrip("/").lower() for line in self.allowed_origins.splitlines()} - {
            ""
        }
