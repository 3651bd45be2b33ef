"""How the product stands: what of it is well, and what is not. No paid call, no secret.

Of the process that answers: another may see more or less of it.
"""

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import connection

from chat import backends, paid, speaking, watching
from chat.gate import gate
from chat.live import live

Checks = dict[str, dict[str, Any]]


async def checks() -> Checks:
    """Every part by its name, with a `status` (ok, off, degraded) and often a `detail`."""
    database, others = await asyncio.gather(_database_health(), parts())
    return {"database": database, **others}


async def parts() -> Checks:
    """Those beside the database, for who has just asked that for something."""
    return {
        "channel_layer": await _layer_health(),
        "llm": {**backends.health(), "answers": _answers()},
        "voice": speaking.health(),
        "load": _load_health(),
        "budget": _budget_health(),
        "memory": watching.health(),
    }


async def _database_health() -> dict[str, str]:
    ask = database_sync_to_async(_ask_database, thread_sensitive=False)
    try:
        async with asyncio.timeout(1.5):
            await ask()
    except Exception:
        return {"status": "degraded", "detail": "the database does not answer"}
    return {"status": "ok"}


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


async def _layer_health() -> dict[str, str]:
    if not settings.REDIS_URL:
        return {"status": "off", "detail": "one process alone"}
    if await live.layer.answers():
        return {"status": "ok"}
    return {"status": "degraded", "detail": "Redis does not answer; chats go on by the database"}


def _answers() -> backends.Step:
    """Who writes the next reply: the model, the fallback model, or the guided seller."""
    return "guided" if backends.paid() and paid.limited("") else backends.step()


def _load_health() -> dict[str, str]:
    if gate.full:
        return {"status": "degraded", "detail": "too many replies at once; new ones wait"}
    if gate.behind:
        return {"status": "degraded", "detail": "the process runs far behind; new replies wait"}
    if why := watching.busy():
        return {"status": "degraded", "detail": why}
    return {"status": "ok"}


def _budget_health() -> dict[str, str]:
    return paid.health() if backends.paid() else {"status": "off", "detail": "nothing is paid for"}
