"""Sites, visitors, conversations, messages, personas, leads, and who hears of those.

The rules of the protocol that a database can hold stand here as constraints; the rules of change
stand in `conversations.py`, `leads.py` and `personas.py`, the only modules that write these rows.
"""

from chat.models.conversations import Conversation, Message, MessageQuerySet
from chat.models.desk import CannedReply, Note, SetAside, StaffProfile, Tag
from chat.models.leads import Lead
from chat.models.personas import Persona, PersonaVersion
from chat.models.sites import Site, new_identity_key
from chat.models.visitors import Visitor
from chat.models.webhooks import Delivery, Webhook
from chat.money import Brake, ModelPrice, Spend
from chat.privacy import Consent, ConsentText, Erasure, Privacy

__all__ = [
    "Brake",
    "CannedReply",
    "Consent",
    "ConsentText",
    "Conversation",
    "Delivery",
    "Erasure",
    "Lead",
    "Message",
    "MessageQuerySet",
    "ModelPrice",
    "Note",
    "Persona",
    "PersonaVersion",
    "Privacy",
    "SetAside",
    "Site",
    "Spend",
    "StaffProfile",
    "Tag",
    "Visitor",
    "Webhook",
    "new_identity_key",
]
