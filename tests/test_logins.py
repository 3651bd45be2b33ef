"""Staff log in over HTTP: the cookies they get, and one count of tries for all processes."""

import re
from http.cookies import Morsel, SimpleCookie
from typing import Any

import aiohttp

from tests.servers import STAFF_PASSWORD, Server

BEHIND_TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


async def login(
    server: Server, password: str = STAFF_PASSWORD, headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, Morsel[str]]]:
    """Status, page and cookies of a try."""
    url, headers = f"{server.url}/admin/login/", headers or {}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=headers) as response:
            text = await response.text()
            jar = SimpleCookie("; ".join(response.headers.getall("Set-Cookie")))
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
        assert token
        sent = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
        form = {"csrfmiddlewaretoken": token[1], "username": "staff", "password": password}
        given = {**headers, "Cookie": sent}
        if headers:
            given["Referer"] = url.replace("http", "https")
        async with session.post(url, data=form, headers=given, allow_redirects=False) as response:
            cookies: dict[str, Any] = {}
            for line in response.headers.getall("Set-Cookie", []):
                cookies |= SimpleCookie(line)
            return response.status, await response.text(), cookies


async def test_a_session_in_production_is_secret_short_and_for_this_host_alone(stack: Any) -> None:
    server = stack(env={"PUBLIC_URL": "https://chat.example.com", "TRUSTED_PROXY_HOPS": "1"}).server
    status, _, cookies = await login(server, headers=BEHIND_TLS)
    assert status == 302
    session = cookies["__Host-sessionid"]
    assert (session["secure"], session["httponly"], session["samesite"]) == (True, True, "Lax")
    assert (session["path"], session["domain"], session["max-age"]) == ("/", "", "43200")
    token = cookies["__Host-csrftoken"]
    assert (token["secure"], token["httponly"], token["samesite"]) == (True, True, "Lax")


async def test_processes_count_tries_together(stack: Any) -> None:
    made = stack(servers=2, redis=True, env={"CHAT_LOGIN_TRIES": "4"})
    held_up = []
    for n in range(8):
        status, text, cookies = await login(made.servers[n % 2], "guess")
        assert status == 200
        assert "sessionid" not in cookies
        held_up.append("Too many failed logins" in text)
    assert held_up == [False] * 4 + [True] * 4
    # And they go on without Redis, each with a count of its own.
    made.redis.stop()
    assert "Too many" not in (await login(made.servers[0], "guess"))[1]
    assert (await login(made.servers[0]))[0] == 302
