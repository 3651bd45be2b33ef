"""The rows of money: what a day has cost, what a model costs, and the brake.

Amounts of `Spend` are whole billionths of a US dollar: exact in every database, and fine enough for
a single cached token.
"""

from decimal import ROUND_UP, Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

BILLION = 1_000_000_000


def billionths(dollars: Decimal) -> int:
    """Rounded up: a budget is never helped by a rounding."""
    return int((dollars * BILLION).to_integral_value(ROUND_UP))


def dollars(amount: int) -> Decimal:
    return Decimal(amount) / BILLION


class Spend(models.Model):
    """What one account has spent on one day (UTC), and what is held for calls under way.

    `key` names the site by its id; a visitor and an address by a keyed hash of the day, so that
    these rows lead to nobody. `cap` is the budget as it was when the row was last asked.
    """

    class Scope(models.TextChoices):
        VISITOR = "visitor", _("visitor")
        ADDRESS = "address", _("address")
        SITE = "site", _("site")
        WHOLE = "whole", _("all sites together")

    day = models.DateField(_("day (UTC)"))
    scope = models.CharField(_("whose"), max_length=7, choices=Scope)
    key = models.CharField(max_length=32, blank=True)
    site = models.ForeignKey(
        "chat.Site", on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("site")
    )
    spent = models.BigIntegerField(_("spent"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    cap = models.BigIntegerField(_("budget"), default=0)
    refused = models.DateTimeField(_("used up at"), null=True)  # the first call that did not fit
    mailed_50 = models.DateTimeField(null=True, editable=False)
    mailed_80 = models.DateTimeField(null=True, editable=False)
    mailed_spent = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("spending")
        verbose_name_plural = _("spending")
        ordering = ["-day", "scope", "key"]
        constraints = [
            models.UniqueConstraint(fields=["day", "scope", "key"], name="spend_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.site or self.get_scope_display()}"

    @property
    def used_up(self) -> bool:
        """A call was refused, and the budget has not been raised since."""
        return self.refused is not None and (self.spent + self.held) * 10 >= self.cap * 9


class ModelPrice(models.Model):
    """What a model costs, in US dollars per million tokens: in place of the built-in table's."""

    model = models.CharField(
        _("model"),
        max_length=120,
        unique=True,
        help_text=_("As CHAT_MODEL or a persona names it; * stands for every unknown one."),
    )
    input = models.DecimalField(
        _("input"), max_digits=12, decimal_places=6, validators=[MinValueValidator(0)]
    )
    cached = models.DecimalField(
        _("cached input"), max_digits=12, decimal_places=6, validators=[MinValueValidator(0)]
    )
    output = models.DecimalField(
        _("output"), max_digits=12, decimal_places=6, validators=[MinValueValidator(0)]
    )

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["model"]

    def __str__(self) -> str:
        return self.model


class Brake(models.Model):
    """Whether all paid calls are stopped by hand, since when and by whom; one row at the most."""

    ROW = 1
    stopped = models.BooleanField(_("stopped"), default=False)
    since = models.DateTimeField(_("since"), null=True)
    by = models.CharField(_("by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("paid calls")
        verbose_name_plural = _("paid calls")
        default_permissions = ()
        permissions = [("stop_paid_calls", "Can stop all paid calls, and allow them again")]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
