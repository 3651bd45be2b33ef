"""Who is worth a call, in whose words, and who is told of it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.campaigns import parameters
from chat.models.conversations import Conversation
from chat.models.sites import Site
from salesagent.prepared import Row

CONTACT = ("name", "email", "phone", "company")
QUALIFYING = ("need", "budget", "authority", "timing")
# What each field that is known adds to the score; together 100.
WORTH: Mapping[str, int] = {
    "email": 20,
    "phone": 15,
    "name": 5,
    "company": 10,
    "need": 15,
    "budget": 15,
    "authority": 10,
    "timing": 10,
}


class Lead(Row):
    """Who is worth a call; a conversation has one at most.

    `evidence` says of each value where it is from. Of one in the visitor's own words
    `{"message": id, "seq": number, "words": a piece of that message}`; of one that the website has
    signed `{"signed": true}`; of one that staff wrote `{"by": login, "at": ISO time}`.
    """

    class Stage(models.TextChoices):
        NEW = "new", _("new")
        WORKING = "working", _("in touch")
        QUALIFIED = "qualified", _("qualified")
        WON = "won", _("won")
        LOST = "lost", _("lost")

    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, related_name="lead", verbose_name=_("conversation")
    )
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="leads", verbose_name=_("site")
    )
    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    company = models.CharField(_("company"), max_length=120, blank=True)
    need = models.CharField(_("need"), max_length=300, blank=True)
    budget = models.CharField(_("budget"), max_length=300, blank=True)
    authority = models.CharField(
        _("authority"), max_length=300, blank=True, help_text=_("Who decides.")
    )
    timing = models.CharField(_("timing"), max_length=300, blank=True)
    note = models.TextField(_("note"), blank=True)
    words = models.TextField(
        _("the visitor's words"), blank=True, help_text=_("The messages these values came from.")
    )
    evidence = models.JSONField(_("where it is from"), default=dict, blank=True, editable=False)
    stage = models.CharField(_("stage"), max_length=9, choices=Stage, default=Stage.NEW)
    score = models.PositiveSmallIntegerField(
        _("score"), default=0, editable=False, validators=[MaxValueValidator(100)]
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
        help_text=_("Gets the e-mails about this lead, instead of everybody."),
    )
    created = models.DateTimeField(_("created"), default=timezone.now)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    mailed = models.DateTimeField(_("mailed to staff"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["-created"], name="lead_newest"),
            models.Index(fields=["stage", "-created"], name="lead_of_stage"),
            models.Index(fields=["owner", "-created"], name="lead_of_owner"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or str(_("lead"))

    def save(self, *args: Any, update_fields: Any = None, **options: Any) -> None:
        """Stores it, and the score that its values make."""
        self.score = self.worth()
        if update_fields is not None:
            update_fields = {*update_fields, "score", "updated"}
        super().save(*args, update_fields=update_fields, **options)

    def known(self) -> dict[str, str]:
        """The fields that hold something, by name."""
        names = (*CONTACT, *QUALIFYING, "note")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def worth(self) -> int:
        """0 to 100: how much of what a sale needs is known."""
        return sum(points for name, points in WORTH.items() if getattr(self, name))

    def source(self) -> dict[str, str]:
        """The page the conversation began on, what led there, and the campaign in its address."""
        talk = self.conversation
        found = {"page": talk.page_url, "referrer": talk.referrer, **parameters(talk.page_url)}
        return {name: value for name, value in found.items() if value}
