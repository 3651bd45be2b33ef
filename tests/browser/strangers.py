"""Strangers who put hostile texts wherever the chat lets them; and a watch over what pages do.

They talk by sockets, as any client may. `Watch` notes all that a page must not do: run what
they wrote, ask another host for something, break its policy.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Route

from chat import wire
from chat.identity import sign
from tests import canaries
from tests.client import Client
from tests.hostile import names
from tests.servers import Server

AT_ONCE = 6


def apart(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs it in a thread of its own: playwright's loop is this one's already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def told(text: str) -> str:
    """The command at which the scripted model says just this."""
    return "/say " + text.replace("\n", "\\n")


async def comes(server: Server, number: int, name: str) -> None:
    """One stranger with this in every field: page, language, who they are, lead, why, wishes."""
    fields: dict[str, Any] = {
        "page": {"url": f"https://shop.example/{name}", "title": name, "referrer": name},
        "locale": name,
        **signed(number, name),
    }
    lead = {"name": name, "company": name, "note": name, "email": f"lead{number}@shop.example"}
    async with await Client.open(server, **fields) as one:
        await one.say(f"/tool save_lead {json.dumps(lead, ensure_ascii=False)}")
        reply = await one.reply()
        await says_why(one, reply["id"], name)
        if number % 5 == 0:
            await one.say(f"/offer {name[:78]} | {name[:70]} or not")
            await one.reply()


async def says_why(one: Client, message: str, comment: str) -> None:
    """Finds it unhelpful, and waits until that is stored."""
    frame = {"type": "feedback", "message": message, "value": -1, "comment": comment}
    await one.send(frame)
    await one.until(lambda it: it["type"] == "message" and it["message"].get("feedback") == -1)


def signed(number: int, name: str) -> dict[str, Any]:
    """Who the website says they are, where it could sign such a name at all."""
    if wire.drop_controls(name) != name or "\u2028" in name:
        return {}
    told = {"id": f"{number} {name}", "email": f"lead{number}@shop.example", "name": name}
    return {"identity": {**told, "hash": sign(canaries.IDENTITY_KEY, *told.values())}}


async def all_come(server: Server) -> None:
    waiting = iter(enumerate(names()))

    async def line() -> None:
        for number, name in waiting:
            await comes(server, number, name)

    await asyncio.gather(*(line() for _ in range(AT_ONCE)))


async def says_all(server: Server, token: str, texts: Iterable[str]) -> list[str]:
    """In the name of whoever holds the token; what the model answered."""
    answers = []
    async with await Client.open(server, token=token) as one:
        for text in texts:
            await one.say(told(text))
            reply = await one.reply()
            answers.append(reply["text"])
            await says_why(one, reply["id"], text[:500])
    return answers


# --- The watch ------------------------------------------------------------------------------------

LISTEN = """
for (const name of ["hostile", "alert", "confirm", "prompt", "print"]) {
    window[name] = () => window.note("ran " + name + " at " + location.pathname);
}
document.addEventListener("securitypolicyviolation", (event) => {
    const { effectiveDirective, blockedURI, sample } = event;
    window.note(`policy: ${effectiveDirective} ${blockedURI} ${sample} ${location.pathname}`);
});
"""


class Watch:
    """Notes what pages of a context do that they must not; `own` are the hosts they may ask."""

    def __init__(self, context: BrowserContext, *own: str) -> None:
        self.faults: list[str] = []
        self._own = {urlsplit(url).netloc for url in own}
        context.expose_binding("note", lambda _, what: self.faults.append(what))
        context.add_init_script(LISTEN)
        context.route(self._foreign, self._refuse)
        context.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        context.on("page", self._follow)

    def _follow(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("popup", lambda popup: self.faults.append(f"a window: {popup.url}"))

    def _foreign(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme not in ("data", "blob") and parts.netloc not in self._own

    def _refuse(self, route: Route) -> None:
        self.faults.append(f"asked for {route.request.url}")
        route.abort()
