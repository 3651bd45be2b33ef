"""Members of staff at their socket, without a browser."""

import json
import uuid
from typing import Any, Self

from websockets.asyncio.client import connect

from tests.client import Client
from tests.servers import Server, Stack

# Makes members of staff, each with a session, and prints what opens the socket for them.
_MADE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, User
from chat.models import Site, StaffProfile
from chat.staff import add_staff
Store = import_module(settings.SESSION_ENGINE).SessionStore
sessions = {{}}
for name, fields in {people!r}.items():
    user = add_staff(name, "none-" + name)
    user.groups.set(Group.objects.filter(name=fields["group"]))
    if fields["sites"]:
        desk = StaffProfile.objects.create(user=user)
        desk.sites.set(Site.objects.filter(key__in=fields["sites"]))
    session = Store()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    sessions[name] = session.session_key
print(json.dumps(sessions))
"""


def hired(stack: Stack, **people: dict[str, Any]) -> dict[str, str]:
    """Makes logins in a stack; the session of each. A person: group, sites."""
    filled = {
        name: {"group": "Sales staff", "sites": [], **fields} for name, fields in people.items()
    }
    printed = stack.manage("shell", "-v", "0", "-c", _MADE.format(people=filled))
    found: dict[str, str] = json.loads(printed.strip().splitlines()[-1])
    return found


class Staffer(Client):
    """One open socket of a member of staff; frames as in docs/desk.md."""

    @classmethod
    async def at(
        cls, server: Server, session: str, *, origin: str | None = "", cookie: str = "sessionid"
    ) -> Self:
        """`origin` is the server's own unless another is named; None sends none."""
        socket = await connect(
            server.ws_url.replace("/socket", "/staff/socket"),
            origin=server.url if origin == "" else origin,  # type: ignore[arg-type]
            additional_headers={"Cookie": f"{cookie}={session}"} if session else None,
            max_size=None,
            ping_interval=None,
            proxy=None,
        )
        return cls(server, {}, socket)

    async def watches(self, conversation: str, rev: int = 0) -> dict[str, Any]:
        await self.send({"type": "watch", "conversation": conversation, "rev": rev})
        return await self.until("status")

    async def takes(self, conversation: str) -> None:
        await self.send({"type": "take", "conversation": conversation})

    async def says(self, conversation: str, text: str, id: str = "") -> str:
        id = id or str(uuid.uuid4())
        frame = {"type": "say", "conversation": conversation, "id": id, "text": text}
        await self.send(frame)
        return id

    async def hands_back(self, conversation: str, brief: str = "") -> None:
        await self.send({"type": "back", "conversation": conversation, "brief": brief})
