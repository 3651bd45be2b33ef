"""Which pages may talk to the server: one character more or less is another origin."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from chat import origins
from chat.admin.site_form import origin as typed
from chat.models import Site

LISTED = "https://shop.example.com\nhttps://xn--mnchen-3ya.example\nhttp://127.0.0.1:8080/\n\n"
SITE = Site(key="shop", allowed_origins=LISTED)
OWN = ("https", "chat.example.com")


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.com", ".internal.example"]
    settings.PUBLIC_URL = "https://chat.example.com"


@pytest.mark.parametrize(
    "header",
    [
        None,  # no browser
        "https://shop.example.com",
        "HTTPS://Shop.Example.COM",
        "https://shop.example.com:443",
        "https://xn--mnchen-3ya.example",
        "http://127.0.0.1:8080",
        "https://chat.example.com",
        "https://chat.example.com:443",
    ],
)
def test_a_listed_page_and_our_own_may(header: str | None) -> None:
    assert origins.allows(SITE, header, *OWN)


REFUSED = [
    "",
    " ",
    "null",
    "NULL",
    "*",
    "https://",
    "https:///shop.example.com",
    "https://[",
    "https://[::1",
    "https://a:99999",
    "https://shop.example.com:0",
    "https://shop.example.com:443:443",
    "https://shop.example.com:80",
    "https://shop.example.com:",
    "http://shop.example.com",
    "https://shop.example.com.",
    "https://shop.example.com/",
    "https://shop.example.com/path",
    "https://shop.example.com?x",
    "https://shop.example.com#x",
    "https://user@shop.example.com",
    "https://shop.example.com@evil.example",
    "https://shop.example.com.evil.example",
    "https://evilshop.example.com",
    "https://sub.shop.example.com",
    "https://shop_example.com",
    "https://shop.example.com https://evil.example",
    "https://shop.example.com,https://evil.example",
    "https://shop.example.com\n",
    "https://shop.example.com\x00",
    "https://münchen.example",
    "https://xn--mnchen-3ya.example.evil.example",
    "https://ѕhop.example.com",  # with a Cyrillic letter
    "https://ｓhop.example.com",  # with a full-width one
    "http://127.0.0.1",
    "http://127.0.0.1:08080",
    "http://2130706433:8080",
    "javascript:alert(1)",
    "data:text/html,x",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "wss://chat.example.com",
    "https://chat.example.com:8443",
    "http://chat.example.com",
]


@pytest.mark.parametrize("header", REFUSED)
def test_any_other_may_not(header: str) -> None:
    assert not origins.allows(SITE, header, *OWN)


@given(st.text(max_size=60) | st.text(alphabet="https:/.shopexamlc0123[]@%\t ", max_size=40))
def test_any_header_is_judged_without_a_fault(header: str) -> None:
    allowed = origins.allows(SITE, header, *OWN)
    assert allowed == (origins.parse(header) in {*SITE.origins(), "https://chat.example.com"})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "", "[", "a b", "10.0.0.1"])
def test_a_name_that_is_not_ours_makes_no_page_our_own(host: str) -> None:
    """A foreign name may lead to our address: then host and origin agree, and mean nothing."""
    for scheme in ("https", "http", "wss", "ws"):
        page = scheme.replace("ws", "http")
        assert not origins.allows(SITE, f"{page}://{host}", scheme, host)


def test_a_name_of_ours_does() -> None:
    assert origins.allows(SITE, "http://a.internal.example:81", "ws", "a.internal.example:81")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("https://München.example", "https://xn--mnchen-3ya.example"),
        ("https://faß.example:8443/", "https://xn--fa-hia.example:8443"),
        ("https://例え.example", "https://xn--r8jz45g.example"),
        ("https://Shop.example.com/", "https://shop.example.com"),
        ("https://shop.example.com:443", "https://shop.example.com"),
    ],
)
def test_an_origin_as_a_person_writes_it_is_kept_as_browsers_send_it(text: str, sent: str) -> None:
    assert origins.written(text) == sent
    assert typed(text) == sent


@pytest.mark.parametrize("text", ["https://a..ü", "https://-ü-.example", "https://ü ü.example"])
def test_what_can_be_no_name_is_refused_in_words(text: str) -> None:
    assert origins.written(text) is None
    with pytest.raises(ValidationError):
        typed(text)
