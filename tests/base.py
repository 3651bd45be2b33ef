"""A small cast: a site with a persona and knowledge, and a visitor who talks."""

import uuid
from collections.abc import Sequence
from typing import Any

from chat import conversations, replies
from chat.identity import Signed
from chat.models import Conversation, Message, Persona, PersonaVersion, Site
from knowledge.models import Collection

ME = "process-one"
OTHER = "process-two"


def make_site(key: str = "acme", **fields: Any) -> Site:
    persona = Persona.objects.create(name=f"Robin of {key}")
    persona.published = PersonaVersion.objects.create(
        persona=persona, number=1, agent_name="Robin", instructions="Sell {company} well."
    )
    persona.save()
    defaults = {
        "name": "Acme Desks",
        "greeting": "Hello! What are you looking for?",
        "persona": persona,
        "collection": Collection.objects.create(name=f"Knowledge of {key}"),
    }
    return Site.objects.create(key=key, **{**defaults, **fields})


class Talker:
    """A visitor, seen from `conversations` and `replies`; each act is a call of theirs."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.visitor = uuid.uuid4()
        self.conversation = uuid.uuid4()
        self.signed: Signed | None = None

    def says(
        self, text: str, client_id: str | None = None, opens: conversations.Opens | None = None
    ) -> conversations.Received:
        return conversations.receive(
            site=self.site,
            visitor=self.visitor,
            conversation=self.conversation,
            client_id=client_id or str(uuid.uuid4()),
            text=text,
            signed=self.signed,
            opens=opens,
        )

    def gets(self, text: str, **outcome: Any) -> Message:
        """The agent answers with `text`, at once."""
        claim = self.claimed()
        return finish(claim, text, **outcome)

    def claimed(self, owner: str = ME) -> conversations.Claim:
        claim = replies.claim(self.row().id, owner)
        assert isinstance(claim, conversations.Claim)
        return claim

    def row(self) -> Conversation:
        talk = conversations.current(self.visitor, self.conversation)
        assert talk.row is not None
        return talk.row

    def after(self, rev: int = 0, **asked: Any) -> conversations.Changes:
        return conversations.after(
            visitor=self.visitor, conversation=self.conversation, rev=rev, **asked
        )

    def messages(self) -> Sequence[Message]:
        return list(self.row().messages.order_by("seq"))


def finish(
    claim: conversations.Claim,
    text: str,
    state: Message.State = Message.State.COMPLETE,
    **outcome: Any,
) -> Message:
    finished = replies.finish(claim, claim.reply.owner, replies.Outcome(state, text, **outcome))
    assert finished is not None
    return finished.changed[0]


def check_numbers(row: Conversation) -> None:
    """What the protocol promises of `seq` and `rev`, whatever has happened."""
    messages = list(row.messages.order_by("seq"))
    revs = [message.rev for message in messages]
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert len(set(revs)) == len(revs)
    assert max(revs, default=0) == row.rev
    assert row.last_seq == len(messages)
    assert sum(message.state == Message.State.STREAMING for message in messages) <= 1
