"""What a test does at the desk: open a page, have a talk, read its transcript."""

from typing import Any

from django.test import Client
from django.urls import reverse

from chat.models import Conversation, Message, Site
from tests.base import Talker

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"


def page(client: Client, name: str, *args: Any, **query: Any) -> str:
    response = client.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def talk(site: Site, *lines: str) -> Conversation:
    talker = Talker(site)
    for line in lines:
        talker.says(line)
        talker.gets(f"About that: {line}")
    return talker.row()


def reply(row: Conversation, **fields: Any) -> None:
    answer = row.messages.filter(reply_to__isnull=False).get()
    Message.objects.filter(pk=answer.pk).update(**fields)


def transcript(client: Client, row: Conversation) -> str:
    return page(client, "chat_conversation_change", row.pk)


def queries(client: Client, counted: Any, name: str, *args: Any) -> int:
    with counted as found:
        page(client, name, *args)
    return len(found)
