"""Somebody on a website."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chat.models.sites import Site
from salesagent.prepared import Row


class Visitor(Row):
    """Somebody on a website. The id is all that is known until they say more, or the website does.

    `external_id` is the website's own id of somebody who is signed in there; it is never set but
    with the website's signature (`identity.py`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="visitors", verbose_name=_("site")
    )
    locale = models.CharField(_("locale"), max_length=35, blank=True)
    external_id = models.CharField(_("id on the website"), max_length=200, blank=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    verified = models.DateTimeField(_("signed by the website"), null=True, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        constraints = [
            models.UniqueConstraint(
                fields=["site", "external_id"],
                condition=~Q(external_id=""),
                name="external_id_once",
            ),
            models.CheckConstraint(
                condition=Q(external_id="", verified__isnull=True)
                | (~Q(external_id="") & Q(verified__isnull=False)),
                name="external_id_is_signed",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or str(self.id)[:8]

    def signed(self) -> dict[str, str]:
        """Name and e-mail as the website signed them, those that it told."""
        if not self.external_id:
            return {}
        told = {"name": self.name, "email": self.email}
        return {field: value for field, value in told.items() if value}
