"""The admin: where staff read conversations, work on leads and tune the agent."""

from django.contrib.admin import site
from django.utils.translation import gettext_lazy as _

from chat.admin import (
    conversations,
    customvoices,
    leads,
    money,
    people,
    personas,
    sites,
    voices,
    webhooks,
)

site.index_title = _("Home")

__all__ = [
    "conversations",
    "customvoices",
    "leads",
    "money",
    "people",
    "personas",
    "sites",
    "voices",
    "webhooks",
]
