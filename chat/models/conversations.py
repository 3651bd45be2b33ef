"""Conversations and their messages, with the rules of the protocol that a database can hold."""

import uuid
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.personas import PersonaVersion
from chat.models.sites import Site
from chat.models.visitors import Visitor
from salesagent.prepared import Row, insert, insert_unless_there, update, update_where


class Conversation(Row):
    """A visitor's talk with the agent. `rev` counts its changes, `last_seq` its messages."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        HUMAN = "human", _("with a person")
        CLOSED = "closed", _("closed")

    class Channel(models.TextChoices):
        WEB = "web", _("website")

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
    # Since when the visitor waits for a person: one that has not come (the agent goes on
    # meanwhile), or one that has, and has not answered yet; null: does not.
    waiting_since = models.DateTimeField(_("waits for a person since"), null=True, blank=True)
    waiting_mailed = models.DateTimeField(null=True, blank=True, editable=False)
    # The visitor has been told that nobody comes for now.
    absent_told = models.DateTimeField(null=True, blank=True, editable=False)
    # With a person: who that is, and under which name visitors see them.
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("taken over by"),
    )
    taken_name = models.CharField(max_length=80, blank=True, editable=False)
    # What staff tell the agent when they hand back: for its prompt, not for the visitor.
    brief = models.CharField(_("for the agent"), max_length=500, blank=True, editable=False)
    locale = models.CharField(_("locale"), max_length=35, blank=True)
    page_url = models.TextField(_("page"), blank=True)
    page_title = models.CharField(_("page title"), max_length=300, blank=True)
    referrer = models.TextField(_("referrer"), blank=True)
    # Of the first message's page (`campaigns.in_a_line`).
    campaign = models.CharField(_("campaign"), max_length=200, blank=True)
    channel = models.CharField(_("channel"), max_length=12, choices=Channel, default=Channel.WEB)
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
        permissions = [
            ("take_conversation", "Can take over a conversation"),
            ("export_conversation", "Can download conversations"),
            ("release_conversation", "Can hand back what another has taken over"),
        ]
        indexes = [
            models.Index(fields=["-updated"], name="conversation_newest"),
            models.Index(fields=["site", "-updated"], name="conversation_of_site"),
            models.Index(fields=["state", "-updated"], name="conversation_state"),
            models.Index(fields=["locale", "-updated"], name="conversation_locale"),
            models.Index(fields=["channel", "-updated"], name="conversation_channel"),
            models.Index(fields=["-created"], name="conversation_begun"),
            # Most conversations come by none: to filter by one, and to name those there are.
            models.Index(
                fields=["campaign", "-updated"],
                name="conversation_campaign",
                condition=Q(campaign__gt=""),
            ),
            models.Index(
                fields=["-updated"], name="conversation_led", condition=Q(campaign__gt="")
            ),
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
        added = self._next(1, **fields)
        insert(added)
        return self._counted(added)

    def add_unless_there(self, **fields: Any) -> "Message | None":
        """As `add`; None where a message with its `client_id` is there."""
        message = self._next(1, **fields)
        return self._counted(message) if insert_unless_there(message) else None

    def add_with_reply(
        self, question: Mapping[str, Any], reply: Callable[["Message"], Mapping[str, Any]]
    ) -> "tuple[Message | None, Message | None]":
        """Both in one statement; `reply` gives the columns of the reply to a message.

        Without the reply where another is open; neither where the question is there.
        """
        said = self._next(1, **question)
        answer = self._next(2, **reply(said))
        stored = insert_unless_there(said, answer)
        if said not in stored:
            Message.objects.filter(id=answer.id).delete()
            return None, None
        self._counted(said)
        return said, self._counted(answer) if answer in stored else None

    def _next(self, place: int, **fields: Any) -> "Message":
        places = {"seq": self.last_seq + place, "rev": self.rev + place}
        return Message.fresh(conversation=self, **places, **fields)

    def _counted(self, added: "Message") -> "Message":
        self.last_seq, self.rev = added.seq, added.rev
        return added

    def change(self, message: "Message", **fields: Any) -> "Message":
        """A stored message changed: the next `rev`. The caller holds the lock and saves `self`."""
        self.rev += 1
        self._note(message, fields)
        update(message, "rev", *fields)
        return message

    def changed_where(
        self, where: Mapping[str, Any], message: "Message", **fields: Any
    ) -> "Message | None":
        """As `change`, if other fields of what is stored still hold these values; None: they don't.

        For this change `rev` was counted already. `message` is left as it is, for this may be done
        twice.
        """
        changed = copy(message)
        self._note(changed, fields)
        return changed if update_where(changed, ("rev", *fields), where) else None

    def _note(self, message: "Message", fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            setattr(message, name, value)
        message.rev = self.rev

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


class Message(Row):
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
            ),
            models.Index(fields=["conversation"], name="rated_badly", condition=Q(feedback=-1)),
            models.Index(
                fields=["conversation"], name="failed_replies", condition=Q(state="failed")
            ),
            # For the figures of the desk's first page.
            models.Index(fields=["created", "role"], name="message_day"),
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
