"""What the sales desk keeps beside the conversations: who a member of staff is to visitors."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.conversations import Conversation, Message
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


class Note(models.Model):
    """What one of the staff writes beside a conversation, for the others."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    text = models.TextField(_("note"), max_length=2000)
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["created"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.created}"


class Tag(models.Model):
    """A word that staff put on a conversation, to find it by."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("tag"), max_length=40)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["conversation", "name"], name="tag_once"),
        ]
        indexes = [models.Index(fields=["name"], name="tag_name")]

    def __str__(self) -> str:
        return self.name


class SetAside(models.Model):
    """An open question that staff leave alone: it is gathered no more. One that asks for the same
    later is a new one."""

    reply = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="set_aside")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("question set aside")
        verbose_name_plural = _("questions set aside")
        ordering = ["-created"]
        default_permissions = ()
        permissions = [("set_question_aside", "Can set open questions aside")]

    def __str__(self) -> str:
        return f"reply {self.reply_id}"


class CannedReply(models.Model):
    """Words that staff say often. `{visitor}`, `{me}`, `{agent}` and `{company}` are filled in."""

    site = models.ForeignKey(
        Site,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("site"),
        help_text=_("Empty: for all."),
    )
    title = models.CharField(_("title"), max_length=80)
    text = models.TextField(
        _("text"),
        max_length=2000,
        help_text=_(
            "{visitor} is the visitor's name where it is known, {me} yours, {agent} the agent's, "
            "{company} the site's."
        ),
    )

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title
