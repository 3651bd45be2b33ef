"""The second step of the login in Chromium: set up by a first code, asked for at the next login."""

import base64
import time

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Browser, Page, expect

from tests.browser.desk import Staff
from tests.browser.test_desk_accessibility import breaks
from tests.conftest import MakeStack
from tests.servers import STAFF_PASSWORD, Server


@pytest.fixture(scope="module")
def server(session_stack: MakeStack) -> Server:
    return session_stack(env={"STAFF_TWO_FACTOR": "required"}).server


def with_password(browser: Browser, server: Server) -> Staff:
    one = Staff(browser.new_context(), server)
    one.page.goto(f"{server.url}/admin/chat/lead/")
    one.page.fill("[name=username]", "staff")
    one.page.fill("[name=password]", STAFF_PASSWORD)
    one.page.click("[type=submit]")
    expect(one.page.get_by_label("Code")).to_be_visible()
    return one


def gives(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Go on").click()


def test_set_up_once_and_shown_at_each_login(browser: Browser, server: Server) -> None:
    one = with_password(browser, server)
    assert one.page.locator(".desk-qr").evaluate("it => it.decode().then(() => it.naturalWidth)")
    assert breaks(one) == {}
    app = TOTP(base64.b32decode(one.page.locator("code").inner_text().replace(" ", "")))
    app.time = time.time()
    gives(one.page, f"{app.token():06}")
    expect(one.page.locator(".desk-codes li")).to_have_count(10)
    codes = one.page.locator(".desk-codes li").all_inner_texts()
    assert breaks(one) == {}
    one.page.get_by_role("link", name="I have kept them").click()
    expect(one.page).to_have_url(f"{server.url}/admin/chat/lead/")
    # At another browser, the phone being lost.
    other = with_password(browser, server)
    expect(other.page.locator(".desk-qr")).to_have_count(0)
    gives(other.page, "wrong")
    expect(other.page.get_by_role("alert")).to_contain_text("not right")
    assert breaks(other) == {}
    time.sleep(1.1)  # as it says
    gives(other.page, codes[0])
    expect(other.page).to_have_url(f"{server.url}/admin/chat/lead/")
    assert (one.errors, one.console, other.errors, other.console) == ([], [], [], [])
    for each in (one, other):
        each.page.context.close()
