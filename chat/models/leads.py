"""Who is worth a call."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.conversations import Conversation
from chat.models.sites import Site


class Lead(models.Model):
    """Who is worth a call. Each value stands in the visitor's own words."""

    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, related_name="lead", verbose_name=_("conversation")
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="leads")
    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    company = models.CharField(_("company"), max_length=120, blank=True)
    note = models.TextField(_("note"), blank=True)
    words = models.TextField(
        _("the visitor's words"), blank=True, help_text=_("The messages these values came from.")
    )
    created = models.DateTimeField(_("created"), default=timezone.now)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    mailed = models.DateTimeField(_("mailed to staff"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        ordering = ["-created"]
        indexes = [models.Index(fields=["-created"], name="lead_newest")]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or str(_("lead"))

    def known(self) -> dict[str, str]:
        """The fields that hold something, by name."""
        names = ("name", "email", "phone", "company", "note")
        return {name: getattr(self, name) for name in names if getattr(self, name)}
