"""What a socket is given to read, where reading fails in the middle."""

import json
import uuid
from typing import Any

import pytest
from django.db import OperationalError

from chat import conversations, reading
from chat.database import query
from chat.live import live
from chat.reading import Reader
from chat.sockets import NOTHING, Socket
from chat.tokens import Identity
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_client_is_told_of_another_conversation_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even where the database goes away between its being joined and its being read."""
    talker = Talker(await query(make_site))
    await query(talker.says, "One")
    frames: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        frames.append(json.loads(event["text"]))

    async def reload(status: bool) -> None:
        await reader.catch_up(status)

    socket = Socket(send, reload)
    reader = Reader(
        socket, Identity(talker.site.key, talker.visitor, talker.conversation, "en", None, 0)
    )
    await reader.show(0)
    first = socket.conversation
    await query(conversations.close, first)
    await query(talker.says, "Another matter")
    await query(talker.says, "And one more thing")
    answers = reading.query
    asked: list[Any] = []

    async def away(function: Any, *args: Any, **named: Any) -> Any:
        asked.append(function)
        if len(asked) > 1:  # the first look says that the visitor is elsewhere by now
            raise OperationalError("gone")
        return await answers(function, *args, **named)

    monkeypatch.setattr(reading, "query", away)
    with pytest.raises(OperationalError):
        await reader.catch_up(True)
    monkeypatch.setattr(reading, "query", answers)
    assert socket.conversation != first
    assert socket.rev == NOTHING
    shown = len(frames)
    third = await query(talker.says, "Third")
    await live.tell(third.conversation.id, [message.as_frame() for message in third.added])
    await socket.catch_up(status=True)
    status, *rest = frames[shown:]
    assert (status["type"], status["full"], rest) == ("status", True, [])
    assert status["conversation"]["id"] == str(third.conversation.id) != str(first)
    assert [message["seq"] for message in status["messages"]] == [1, 2, 3, 4]
    live.leave(socket)


def test_who_was_shown_nothing_is_shown_all() -> None:
    talker = Talker(make_site())
    talker.says("One")
    changes = talker.after(NOTHING, named=str(talker.conversation))
    assert (changes.full, len(changes.messages)) == (True, 2)
    whole = conversations.changes_of(talker.conversation, NOTHING)
    assert whole is not None
    assert (whole.full, len(whole.messages)) == (True, 2)
    assert conversations.changes_of(uuid.uuid4(), NOTHING) is None
