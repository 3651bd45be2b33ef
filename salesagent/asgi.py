"""The door: HTTP to Django, sockets to the chat, and what happens when a server starts and ends.

Neither the origin nor a login is judged here. The chat's consumer judges the origin against its
site, and reads no cookie; the staff's takes its own origin alone, and a session.
"""

import asyncio
import gc
import logging
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesagent.settings")

import django

django.setup(set_prefix=False)  # before the imports below: it makes the apps ready

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from chat import checks, process  # noqa: E402
from chat.consumers import ChatConsumer  # noqa: E402
from chat.staff_consumer import StaffConsumer  # noqa: E402
from salesagent.proxy import Scope, TrustedProxy  # noqa: E402

log = logging.getLogger(__name__)

CLEANUP = 2.0  # seconds beyond CHAT_DRAIN_TIMEOUT in which a server must have ended
# Answers for as long as a chat is open, or a voice speaks.
LONG = ("/api/chat/events", "/api/voice/")


class Http(ASGIHandler):
    """Django, without a thread for each answer that does not end soon.

    Its handler gives every request a thread of its own, for the middleware that is synchronous, and
    keeps it until the answer has gone out. Such requests share the process's one instead: their
    middleware asks nothing of a database.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith(LONG):
            await self.handle(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


async def lifespan(scope: Scope, receive: Any, send: Any) -> None:
    """Starts what writes replies, and lets them end in order.

    The server's time limit does not hold for this protocol, so the shutdown bounds itself.
    """
    await receive()
    refusals = checks.refusals()
    if refusals:
        reasons = "\n".join(f"  {refusal.msg} {refusal.hint}" for refusal in refusals)
        await send({"type": "lifespan.startup.failed", "message": f"Will not serve:\n{reasons}"})
        return
    await process.startup()
    _settle_memory()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    try:
        async with asyncio.timeout(settings.CHAT_DRAIN_TIMEOUT + CLEANUP):
            await process.shutdown()
    except TimeoutError:
        log.warning("shutdown took too long")
    await send({"type": "lifespan.shutdown.complete"})


def _settle_memory() -> None:
    """What was imported stays: the collector need not look through it again, for every reply anew.

    Without this a fifth of the CPU of forty streams went there (`bench`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def no_such_socket(scope: Scope, receive: Any, send: Any) -> None:
    """Refuses a socket to any other path, before it is accepted: the client sees a 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


application = TrustedProxy(
    ProtocolTypeRouter(
        {
            "http": Http(),
            "websocket": URLRouter(
                [
                    path("socket", ChatConsumer.as_asgi()),
                    path("staff/socket", StaffConsumer.as_asgi()),
                    re_path(r"", no_such_socket),  # type: ignore[arg-type]  # no view, an ASGI app
                ]
            ),
            "lifespan": lifespan,
        }
    ),
    hops=settings.TRUSTED_PROXY_HOPS,
)
