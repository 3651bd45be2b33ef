"""What is stored of a visitor, for them to take along: piece by piece, since it may be long."""

import uuid
from typing import Any

from chat.models import Conversation, Lead, Message, Visitor
from chat.privacy import Consent

PAGE = 200  # messages read at once


def about(visitor: uuid.UUID) -> dict[str, Any]:
    """Who they are, as far as it is known, and what they agreed to; {} where nothing is stored."""
    row = Visitor.objects.select_related("site").filter(id=visitor).first()
    if row is None:
        return {}
    given = Consent.objects.filter(visitor=row).select_related("text").order_by("given")
    return _told(
        id=str(row.id),
        site=row.site.name,
        since=row.created.isoformat(),
        locale=row.locale,
        id_on_the_website=row.external_id,
        name=row.name,
        email=row.email,
        consents=[
            _told(
                given=each.given.isoformat(),
                version=each.text.version,
                text=each.text.text,
                link=each.text.link,
            )
            for each in given
        ],
    )


def conversations(visitor: uuid.UUID) -> list[uuid.UUID]:
    """The ids of theirs, oldest first."""
    rows = Conversation.objects.filter(visitor_id=visitor).order_by("created")
    return list(rows.values_list("id", flat=True))


def conversation(visitor: uuid.UUID, id: uuid.UUID) -> dict[str, Any]:
    """One of theirs without its messages; {} where it is no more."""
    row = Conversation.objects.filter(visitor_id=visitor, id=id).first()
    if row is None:
        return {}
    lead = Lead.objects.filter(conversation=row).first()
    return _told(
        id=str(row.id),
        started=row.created.isoformat(),
        changed=row.updated.isoformat(),
        state=row.state,
        locale=row.locale,
        page=_told(
            url=row.page_url,
            title=row.page_title,
            referrer=row.referrer,
            campaign=row.campaign,
        ),
        lead={**lead.known(), "words": lead.words} if lead else {},
        summary=row.summary,
    )


def messages(visitor: uuid.UUID, id: uuid.UUID, after: int) -> list[dict[str, Any]]:
    """The next messages after the one with `seq`, at most PAGE."""
    rows = Message.objects.filter(conversation_id=id, conversation__visitor=visitor)
    return [_message(row) for row in rows.filter(seq__gt=after).order_by("seq")[:PAGE]]


def _message(row: Message) -> dict[str, Any]:
    return _told(
        seq=row.seq,
        role=row.role,
        name=row.name,
        created=row.created.isoformat(),
        text=row.text,
        state=row.state,
        spoken=row.spoken,
        sources=row.sources,
        feedback=row.feedback,
        comment=row.feedback_comment,
        earlier=row.earlier,
    )


def _told(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in ("", None, [], {})}
