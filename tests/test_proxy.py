"""Who asks, and by which scheme, through none, one or two proxies of our own."""

from typing import Any

import pytest

from salesagent.proxy import TrustedProxy

CONNECTION = ("10.0.0.9", 4711)


async def seen(
    hops: int, *headers: tuple[str, str], kind: str = "http", scheme: str = "http"
) -> Any:
    """The scope that reaches the application."""
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"type": kind, "scheme": scheme, "client": CONNECTION, "headers": raw}
    await TrustedProxy(app, hops)(scope, None, None)
    return reached[0]


async def test_without_a_proxy_the_headers_are_dropped() -> None:
    scope = await seen(
        0,
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=1.2.3.4"),
        ("Accept", "*/*"),
    )
    assert scope["client"] == CONNECTION
    assert scope["scheme"] == "http"
    assert scope["headers"] == [(b"accept", b"*/*")]


@pytest.mark.parametrize(
    ("hops", "header", "address"),
    [
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),  # what is left of it was invented
        (2, "6.6.6.6, 203.0.113.7, 192.0.2.1", "203.0.113.7"),
        (1, "203.0.113.7:51234", "203.0.113.7"),
        (1, "2001:db8::7", "2001:db8::7"),
        (1, "[2001:db8::7]:443", "2001:db8::7"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
        (1, "[2001:db8::7]", "2001:db8::7"),
        (1, "2001:DB8:0:0::7", "2001:db8::7"),
        (1, "  203.0.113.7  ", "203.0.113.7"),
        (1, "6.6.6.6,203.0.113.7", "203.0.113.7"),
        (1, "unknown, garbage, 203.0.113.7", "203.0.113.7"),  # it counts what others invented too
        (3, "6.6.6.6, 203.0.113.7, 192.0.2.1, 192.0.2.2", "203.0.113.7"),
        (2, "203.0.113.7, garbage", "203.0.113.7"),
    ],
)
async def test_the_address_that_our_outermost_proxy_saw(
    hops: int, header: str, address: str
) -> None:
    assert (await seen(hops, ("X-Forwarded-For", header)))["client"][0] == address


async def test_the_header_may_come_in_several_lines() -> None:
    lines = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.7")]
    assert (await seen(1, *lines))["client"][0] == "203.0.113.7"


MALFORMED = ["", "unknown", "1.2.3", "1.2.3.4.5", "[::1", "é", "a:b:c", ",", "256.1.1.1", "0x7f.1"]
MALFORMED += [
    "203.0.113.7,",
    "203.0.113.7, ",
    "_hidden",
    "localhost",
    "203.0.113.7 1.1.1.1",
    "٣.٣.٣.٣",
]
MALFORMED += ["203.0.113.7, unknown", "203.0.113.07", "1.1.1.1/24", "' OR 1=1 --", "a" * 5000]


@pytest.mark.parametrize("header", MALFORMED)
async def test_a_malformed_address_leaves_the_connections_own(header: str) -> None:
    assert (await seen(1, ("X-Forwarded-For", header)))["client"] == CONNECTION


@pytest.mark.parametrize("hops", [0, -1, -7])
async def test_with_no_proxy_no_header_is_believed_however_it_is_written(hops: int) -> None:
    for name in ("X-Forwarded-For", "x-FORWARDED-for", "X-Forwarded-For"):
        scope = await seen(hops, (name, "203.0.113.7, 203.0.113.7"), ("X-Real-IP", "203.0.113.7"))
        assert scope["client"] == CONNECTION
    assert (await seen(1, ("X-Real-IP", "203.0.113.7")))["client"] == CONNECTION


async def test_fewer_entries_than_proxies_leave_the_connections_own() -> None:
    assert (await seen(2, ("X-Forwarded-For", "203.0.113.7")))["client"] == CONNECTION


@pytest.mark.parametrize(
    ("kind", "scheme", "proto", "told"),
    [
        ("http", "http", "https", "https"),
        ("websocket", "ws", "https", "wss"),
        ("websocket", "ws", "wss", "wss"),
        ("http", "https", "http", "http"),
        ("http", "http", "HTTPS", "https"),
        ("http", "http", "gopher", "http"),
        ("http", "http", "", "http"),
    ],
)
async def test_the_scheme_that_the_proxy_was_asked_by(
    kind: str, scheme: str, proto: str, told: str
) -> None:
    scope = await seen(1, ("X-Forwarded-Proto", proto), kind=kind, scheme=scheme)
    assert scope["scheme"] == told


async def test_one_scheme_from_two_proxies_is_enough() -> None:
    assert (await seen(2, ("X-Forwarded-Proto", "https")))["scheme"] == "https"


async def test_an_invented_scheme_is_not_believed() -> None:
    assert (await seen(1, ("X-Forwarded-Proto", "https, http")))["scheme"] == "http"


async def test_other_protocols_pass_untouched() -> None:
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    await TrustedProxy(app, 1)({"type": "lifespan"}, None, None)
    assert reached == [{"type": "lifespan"}]
