"""What the sales desk keeps beside the conversations: who a member of staff is to visitors."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.models.sites import Site


class StaffProfile(models.Model):
    """How a member of staff is called in the chat, what they see and how they are told."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="desk",
        verbose_name=_("user"),
    )
    shown_name = models.CharField(
        _("name in the chat"),
        max_length=80,
        blank=True,
        help_text=_("What visitors see. Empty: the first name of the login, or else its name."),
    )
    sites = models.ManyToManyField(
        Site,
        blank=True,
        related_name="+",
        verbose_name=_("sites"),
        help_text=_("Only the conversations and leads of these. None chosen: those of all."),
    )
    notify = models.BooleanField(
        _("browser notification"),
        default=True,
        help_text=_("When somebody waits for a person, or answers you, and the desk is not seen."),
    )
    sound = models.BooleanField(_("sound"), default=True)
    email = models.BooleanField(
        _("e-mail"), default=True, help_text=_("When somebody waits for a person.")
    )

    class Meta:
        verbose_name = _("desk settings")
        verbose_name_plural = _("desk settings")

    def __str__(self) -> str:
        return str(self.user)
