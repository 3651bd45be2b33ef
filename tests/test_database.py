"""The way from the event loop to the database."""

import asyncio
import threading

import pytest
from django.core.signals import request_finished
from django.db import OperationalError, connection
from django.utils.translation import activate, get_language, gettext

from chat import database
from chat.database import query, searching
from chat.models import Site
from tests.base import make_site


@pytest.mark.django_db(transaction=True)
def test_a_request_leaves_no_connection_open():
    Site.objects.count()
    request_finished.send(sender=None)
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
async def test_a_lost_connection_is_tried_once_more():
    calls = []

    def fails_once() -> str:
        calls.append(connection)
        if len(calls) == 1:
            raise OperationalError("the connection is gone")
        return "done"

    assert await query(fails_once) == "done"

    def fails() -> None:
        calls.append(connection)
        raise OperationalError("the connection is gone")

    with pytest.raises(OperationalError):
        await query(fails)
    assert len(calls) == 4


@pytest.mark.django_db(transaction=True)
async def test_a_thread_speaks_the_language_of_who_asks():
    async def speaks(language: str) -> tuple[str, str]:
        activate(language)
        return await query(gettext, "There is no such message here."), await query(get_language)

    spoken = [await asyncio.create_task(speaks(language)) for language in ("de", "fr", "en")]
    assert [language for _, language in spoken] == ["de", "fr", "en"]
    assert len({words for words, _ in spoken}) == 3
    assert await query(get_language) == get_language()  # nothing stayed behind in the threads


@pytest.mark.django_db(transaction=True)
async def test_a_slow_search_holds_no_message_up():
    site = await query(make_site)
    release = threading.Event()
    slow = [asyncio.create_task(searching(release.wait, 10)) for _ in range(4)]
    assert await query(Site.objects.get, pk=site.pk) == site
    release.set()
    assert all(await asyncio.gather(*slow))


@pytest.mark.django_db(transaction=True)
async def test_a_thread_of_the_chat_keeps_its_connection_while_it_is_sound(monkeypatch):
    def use(breaks: bool = False) -> tuple[int, object]:
        Site.objects.count()
        used = threading.get_ident(), connection.connection
        if breaks:
            connection.connection.close()
            connection.errors_occurred = True  # as Django notes it of a query that fails
        return used

    async def uses(**how: bool) -> set[tuple[int, object]]:
        return {await query(use, **how) for _ in range(30)}

    before = await uses()
    assert await uses() == before
    assert len(before) == len({thread for thread, _ in before})
    if connection.vendor == "sqlite":
        return  # there it is kept for ever, and cannot be lost
    await uses(breaks=True)
    assert before.isdisjoint(await uses())  # gone, and others in their place
    monkeypatch.setattr(database, "KEPT", 0.0)
    await uses()
    assert await query(lambda: connection.connection) is None  # the pool has it


@pytest.mark.django_db(transaction=True)
async def test_other_threads_give_their_connection_back():
    def use() -> tuple[int, bool]:
        kept = connection.connection is not None
        Site.objects.count()
        return threading.get_ident(), kept

    for _ in range(2):  # threads that have had one
        used = dict([await searching(use) for _ in range(30)])
    assert set(used.values()) == {connection.vendor == "sqlite"}  # there it is kept for ever
