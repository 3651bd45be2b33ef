"""Sites, visitors, conversations, messages, personas and leads.

The rules of the protocol that a database can hold stand here as constraints; the rules of change
stand in `conversations.py` and `personas.py`, the only modules that write these rows.
"""

import secrets
import uuid
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.money import Brake, ModelPrice, Spend
from chat.privacy import Consent, ConsentText, Erasure, Privacy

__all__ = [
    "Brake",
    "Consent",
    "ConsentText",
    "Conversation",
    "Erasure",
    "Lead",
    "Message",
    "ModelPrice",
    "Persona",
    "PersonaVersion",
    "Site",
    "Spend",
    "Visitor",
]


class Persona(models.Model):
    """Who speaks on a site. What it says is in its versions, of which one is published."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    published = models.ForeignKey(
        "PersonaVersion",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published version"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PersonaVersion(models.Model):
    """One state of a persona. It never changes once written; a change is a new version."""

    persona = models.ForeignKey(
        Persona, on_delete=models.CASCADE, related_name="versions", verbose_name=_("persona")
    )
    number = models.PositiveIntegerField(_("number"))
    agent_name = models.CharField(_("agent's name"), max_length=60)
    avatar = models.URLField(_("avatar"), blank=True)
    instructions = models.TextField(_("instructions"))
    model = models.CharField(_("model"), max_length=120, blank=True)  # empty: CHAT_MODEL
    temperature = models.FloatField(_("temperature"), null=True, blank=True)
    reply_tokens = models.PositiveIntegerField(_("tokens of a reply"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("persona version")
        verbose_name_plural = _("persona versions")
        ordering = ["persona", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["persona", "number"], name="version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.persona.name} v{self.number}"


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


class Visitor(models.Model):
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


class Conversation(models.Model):
    """A visitor's talk with the agent. `rev` counts its changes, `last_seq` its messages."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        HUMAN = "human", _("with a person")
        CLOSED = "closed", _("closed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="conversations", verbose_name=_("site")
    )
    visitor = models.ForeignKey(
        Visitor, on_delete=models.CASCADE, related_name="conversations", verbose_name=_("visitor")
    )
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.OPEN)
    epoch = models.PositiveIntegerField(_("epoch"), default=1)
    rev = models.PositiveIntegerField(_("revision"), default=0)
    last_seq = models.PositiveIntegerField(_("messages"), default=0)
    # Since when the newest words of the visitor wait for a reply to be claimed; null: none wait.
    awaiting_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Since when the visitor waits for a person (the agent goes on meanwhile); null: does not.
    waiting_since = models.DateTimeField(_("waits for a person since"), null=True, blank=True)
    waiting_mailed = models.DateTimeField(null=True, blank=True, editable=False)
    locale = models.CharField(_("locale"), max_length=35, blank=True)
    page_url = models.TextField(_("page"), blank=True)
    page_title = models.CharField(_("page title"), max_length=300, blank=True)
    referrer = models.TextField(_("referrer"), blank=True)
    # A mark of the address the visitor wrote from last (`limits.mark`): it pays for the replies.
    network = models.CharField(max_length=32, blank=True, editable=False)
    summary = models.TextField(_("summary"), blank=True)
    summary_seq = models.PositiveIntegerField(default=0, editable=False)  # summarised up to here
    noted_seq = models.PositiveIntegerField(default=0, editable=False)  # ... and by the model
    example = models.BooleanField(_("example"), default=False, editable=False)  # of the demo
    created = models.DateTimeField(_("started"), default=timezone.now)
    updated = models.DateTimeField(_("last change"), default=timezone.now)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-updated"]
        indexes = [
            models.Index(fields=["-updated"], name="conversation_newest"),
            models.Index(fields=["site", "-updated"], name="conversation_of_site"),
            models.Index(fields=["visitor", "-created"], name="conversation_of_visitor"),
            models.Index(
                fields=["awaiting_since"],
                name="conversation_awaiting",
                condition=Q(awaiting_since__isnull=False),
            ),
            models.Index(
                fields=["waiting_since"],
                name="conversation_waiting",
                condition=Q(waiting_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)[:8]

    def add(self, **fields: Any) -> "Message":
        """A new message at the end. The caller holds the row's lock and saves `self` after."""
        self.last_seq += 1
        self.rev += 1
        return Message.objects.create(conversation=self, seq=self.last_seq, rev=self.rev, **fields)

    def change(self, message: "Message", **fields: Any) -> "Message":
        """A stored message changed: the next `rev`. The caller holds the lock and saves `self`."""
        self.rev += 1
        for name, value in fields.items():
            setattr(message, name, value)
        message.rev = self.rev
        message.save(update_fields=["rev", *fields])
        return message

    def as_field(self) -> dict[str, Any]:
        """The `conversation` of init and `status`."""
        return {
            "id": str(self.id),
            "epoch": self.epoch,
            "rev": self.rev,
            "state": self.state,
        }


class MessageQuerySet(models.QuerySet["Message"]):
    def after(self, rev: int) -> "MessageQuerySet":
        """Those changed since `rev`, in the order of their change."""
        return self.filter(rev__gt=rev).order_by("rev")

    def before(self, seq: int) -> "MessageQuerySet":
        return self.filter(seq__lt=seq).order_by("-seq")

    def open(self) -> "MessageQuerySet":
        return self.filter(state=Message.State.STREAMING)


class Message(models.Model):
    """One message. A reply of the agent is a message that grows while it is `streaming`."""

    class Role(models.TextChoices):
        VISITOR = "visitor", _("visitor")
        AGENT = "agent", _("agent")
        STAFF = "staff", _("staff")
        SYSTEM = "system", _("system")

    class State(models.TextChoices):
        STREAMING = "streaming", _("being written")
        COMPLETE = "complete", _("complete")
        INTERRUPTED = "interrupted", _("interrupted")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    seq = models.PositiveIntegerField()
    rev = models.PositiveIntegerField()
    role = models.CharField(_("role"), max_length=7, choices=Role)
    state = models.CharField(_("state"), max_length=11, choices=State, default=State.COMPLETE)
    text = models.TextField(_("text"), blank=True)
    created = models.DateTimeField(_("created"), default=timezone.now)
    # Of a visitor's message. As the client wrote it, unique over the visitor's conversations.
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, null=True, related_name="+")
    client_id = models.CharField(max_length=36, null=True, blank=True)
    spoken = models.BooleanField(_("spoken"), default=False)
    # Of a person's message: who speaks.
    name = models.CharField(_("name"), max_length=80, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Of a reply.
    reply_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    sources = models.JSONField(_("sources"), default=list, blank=True)
    replies = models.JSONField(_("quick replies"), default=list, blank=True)
    feedback = models.SmallIntegerField(_("feedback"), null=True, blank=True)
    feedback_comment = models.CharField(max_length=500, blank=True)  # for staff alone
    error_code = models.CharField(_("error"), max_length=30, blank=True)
    error_text = models.CharField(max_length=300, blank=True)
    earlier = models.JSONField(default=list, blank=True)  # texts of replaced attempts, for staff
    stopped = models.BooleanField(default=False)  # by the visitor: its question counts as answered
    owner = models.CharField(max_length=120, blank=True)  # the process that writes it
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    persona_version = models.ForeignKey(
        PersonaVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    backend = models.CharField(_("backend"), max_length=20, blank=True)
    model = models.CharField(_("model"), max_length=120, blank=True)
    tools = models.JSONField(_("tools called"), default=list, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost = models.DecimalField(
        _("cost, USD"), max_digits=12, decimal_places=6, null=True, blank=True
    )
    first_word_ms = models.PositiveIntegerField(_("first word, ms"), null=True, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration, ms"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["conversation", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="seq_once"),
            models.UniqueConstraint(fields=["conversation", "rev"], name="rev_once"),
            models.UniqueConstraint(fields=["visitor", "client_id"], name="client_id_once"),
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state="streaming"), name="one_open_reply"
            ),
            models.CheckConstraint(
                condition=Q(seq__gte=1) & Q(rev__gte=F("seq")), name="seq_from_1"
            ),
            models.CheckConstraint(
                condition=Q(role="visitor", client_id__isnull=False, visitor__isnull=False)
                | (~Q(role="visitor") & Q(client_id__isnull=True)),
                name="visitors_message_has_client_id",
            ),
            models.CheckConstraint(
                condition=~Q(state="streaming")
                | Q(role="agent", lease_until__isnull=False, deadline__isnull=False),
                name="open_reply_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(feedback__isnull=True) | Q(feedback__in=[-1, 0, 1]),
                name="feedback_is_thumb",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"], name="open_replies", condition=Q(state="streaming")
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.seq}"

    def as_frame(self) -> dict[str, Any]:
        """The `message` shape of the protocol; optional fields only where they hold something."""
        shape: dict[str, Any] = {
            "id": str(self.id),
            "seq": self.seq,
            "rev": self.rev,
            "role": self.role,
            "text": self.text,
            "state": self.state,
            "created": self.created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if self.client_id:
            shape["client_id"] = self.client_id
        if self.name:
            shape["name"] = self.name
        if self.sources:
            shape["sources"] = self.sources
        if self.reply_to_id:
            shape["reply_to"] = str(self.reply_to_id)
        if self.role == self.Role.AGENT:
            shape["attempt"] = self.attempt
        if self.replies:
            shape["replies"] = self.replies
        if self.feedback is not None:
            shape["feedback"] = self.feedback
        if self.error_code:
            shape["error"] = {"code": self.error_code, "message": self.error_text}
        return shape


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
