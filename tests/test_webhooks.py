"""Webhooks: signed, retried, never twice at once, and never led into a private network."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from chat import deliveries, leads, outbound
from chat.models import Conversation, Delivery, Lead, Site, Webhook
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db

WORDS = "I am Ada Okafor, ada@visitor.example, and need 25 desks"


class Receiver:
    """A company's server: keeps what comes, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/leads?from=chat"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.got[-1][1])
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def hook(receiver: Receiver, settings: Settings) -> Webhook:
    settings.CHAT_WEBHOOK_PRIVATE = True
    return Webhook.objects.create(site=make_site(), url=receiver.url)


def told(site: Site, **fields: str) -> Conversation:
    talker = Talker(site)
    talker.says(WORDS)
    row = talker.row()
    leads.save(conversation=row.id, fields=fields or {"name": "Ada Okafor"})
    return row


def now_due() -> None:
    Delivery.objects.filter(state="waiting").update(due=timezone.now())


def test_a_lead_reaches_the_companys_server_signed(hook: Webhook, receiver: Receiver) -> None:
    told(hook.site, name="Ada Okafor", need="25 desks")
    assert deliveries.deliver_due() == 0  # more may be said in a moment
    now_due()
    assert deliveries.deliver_due() == 1
    [(headers, body)] = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    content = receiver.last()
    assert (content["id"], content["type"]) == (headers["webhook-id"], "lead.created")
    lead = content["data"]["lead"]
    assert (lead["name"], lead["need"], lead["score"]) == ("Ada Okafor", "25 desks", 20)
    assert lead["evidence"]["need"]["words"] == WORDS
    row = Delivery.objects.get()
    assert (row.state, row.status, row.attempts) == ("delivered", 204, 1)
    assert hook.secret not in body.decode() + str(row.log)


def test_what_changes_before_it_is_sent_goes_out_once_as_it_is_then(
    hook: Webhook, receiver: Receiver
) -> None:
    row = told(hook.site)
    leads.save(conversation=row.id, fields={"email": "ada@visitor.example"})
    leads.save(conversation=row.id, fields={"email": "ada@visitor.example"})  # nothing new
    now_due()
    deliveries.deliver_due()
    assert len(receiver.got) == 1
    assert receiver.last()["data"]["lead"]["email"] == "ada@visitor.example"
    leads.save(conversation=row.id, fields={"need": "25 desks"})
    now_due()
    deliveries.deliver_due()
    assert [json.loads(body)["type"] for _, body in receiver.got] == [
        "lead.created",
        "lead.updated",
    ]


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_it_is_tried_again_later_with_the_same_id(
    hook: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    told(hook.site)
    now_due()
    assert deliveries.deliver_due() == 0
    row = Delivery.objects.get()
    assert (row.state, row.status) == ("waiting", status)
    assert row.due > timezone.now() + timedelta(seconds=20)
    assert deliveries.deliver_due() == 0
    assert len(receiver.got) == 1  # and no redirect was followed
    now_due()
    assert deliveries.deliver_due() == 1
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]
    assert [each["status"] for each in Delivery.objects.get().log] == [status, 204]


def test_it_gives_up_after_a_day_and_can_be_sent_again(hook: Webhook, receiver: Receiver) -> None:
    told(hook.site)
    receiver.answers = [500] * deliveries.ATTEMPTS
    for _ in range(deliveries.ATTEMPTS + 3):
        now_due()
        deliveries.deliver_due()
    row = Delivery.objects.get()
    assert (row.state, len(receiver.got)) == ("failed", deliveries.ATTEMPTS)
    assert deliveries.again(row.pk)
    assert not deliveries.again(row.pk)  # it waits already
    assert deliveries.deliver_due() == 1
    assert Delivery.objects.get().state == "delivered"
    pauses = [deliveries._pause(n) for n in range(1, deliveries.ATTEMPTS)]
    assert 20 * 3600 < sum(pauses) < 36 * 3600


def test_gone_and_switched_off_mean_no_more(hook: Webhook, receiver: Receiver) -> None:
    told(hook.site)
    receiver.answers = [410]
    now_due()
    deliveries.deliver_due()
    assert Delivery.objects.get().state == "failed"
    deliveries.again(Delivery.objects.get().pk)
    Webhook.objects.update(enabled=False)
    deliveries.deliver_due()
    assert (Delivery.objects.get().state, len(receiver.got)) == ("failed", 1)
    told(hook.site)
    assert Delivery.objects.count() == 1


def test_only_the_webhooks_of_the_leads_site_hear_of_it(hook: Webhook) -> None:
    Webhook.objects.create(site=make_site("other"), url=hook.url)
    told(hook.site)
    assert [row.webhook for row in Delivery.objects.all()] == [hook]


def test_one_that_fails_does_not_hold_up_the_others(hook: Webhook, receiver: Receiver) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    Webhook.objects.create(site=hook.site, url=dead)
    for _ in range(3):
        told(hook.site)
    now_due()
    assert deliveries.deliver_due() == 3
    failed = Delivery.objects.exclude(webhook=hook)
    assert sorted(failed.values_list("attempts", flat=True)) == [0, 0, 1]
    assert failed.get(attempts=1).log[-1]["error"] == "connection"


def test_whoever_claims_it_first_sends_it(hook: Webhook, receiver: Receiver) -> None:
    told(hook.site)
    now_due()
    one, other = (Delivery.objects.select_related("webhook").get() for _ in range(2))
    assert deliveries._claim(one)
    assert not deliveries._claim(other)
    assert deliveries.deliver_due() == 0  # it is on its way
    Delivery.objects.update(due=timezone.now())  # ... and whoever had it is gone
    assert deliveries.deliver_due() == 1


def test_a_lead_that_is_erased_is_told_to_nobody(hook: Webhook, receiver: Receiver) -> None:
    row = told(hook.site)
    now_due()
    row.delete()
    assert not Delivery.objects.exists()
    assert deliveries.deliver_due() == 0
    assert receiver.got == []


def test_no_words_and_no_secrets_in_the_log(
    hook: Webhook, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    told(hook.site)
    receiver.answers = [500]
    for _ in range(2):
        now_due()
        deliveries.deliver_due()
    assert "webhook asked" in caplog.text
    for word in ("Ada", "visitor.example", hook.secret, "127.0.0.1"):
        assert word not in caplog.text


def test_from_a_shell(hook: Webhook, receiver: Receiver) -> None:
    told(hook.site)
    now_due()
    out = StringIO()
    call_command("deliver", stdout=out)
    assert out.getvalue() == "1 delivered, 0 waiting.\n"


def test_a_test_holds_nobodys_data(hook: Webhook, receiver: Receiver) -> None:
    deliveries.ping(hook)
    assert deliveries.deliver_due() == 1
    assert (receiver.last()["type"], receiver.last()["data"]) == ("ping", {})
    assert Lead.objects.count() == 0


# --- Where it leads -------------------------------------------------------------------------------

PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.1", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1"),
    *("fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "not an address", ""),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_never_asked(
    address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_WEBHOOK_PRIVATE = False
    assert not outbound.is_public(address)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]
    monkeypatch.setattr(socket, "create_connection", _never)
    for answer in (found, [*public, *found]):  # one private address among public ones is enough
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, answer=answer, **__: answer)
        with pytest.raises(outbound.Unreachable) as refused:
            outbound.post("https://crm.acme.example/leads", b"{}", {})
        assert refused.value.code == "private"


def _never(*_: Any, **__: Any) -> None:
    raise AssertionError("a line was opened")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_a_public_address_is(address: str) -> None:
    assert outbound.is_public(address)


def test_the_line_goes_to_the_address_that_was_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_WEBHOOK_PRIVATE = False
    asked: list[Any] = []
    answers = ["93.184.216.34", "127.0.0.1"]  # a name that changes its mind

    def lookup(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), 443))]

    def connect(address: Any, **_: Any) -> Any:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outbound.Unreachable):
        outbound.post("https://crm.acme.example/leads", b"{}", {})
    assert asked == [("93.184.216.34", 443)]


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.acme.example/",
        "ftp://crm.acme.example/",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@crm.acme.example/",
        "https://crm.acme.example:99999/",
        "https://crm.acme.example/a b",
        "https://crm.acme.example/\r\nHost: x",
        "https://[::1",
        "gopher://x",
        "",
    ],
)
def test_what_is_no_https_address_is_not_asked(url: str, settings: Settings) -> None:
    settings.CHAT_WEBHOOK_PRIVATE = False
    with pytest.raises(outbound.Unreachable) as refused:
        outbound.post(url, b"{}", {})
    assert refused.value.code == "address"


def test_a_server_that_drips_is_left_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_WEBHOOK_PRIVATE = True
    monkeypatch.setattr(outbound, "PATIENCE", 0.6)
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        line, _ = server.accept()
        with line:
            line.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                try:
                    line.sendall(b"a")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        with pytest.raises(outbound.Unreachable) as refused:
            outbound.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        assert refused.value.code == "timeout"
    finally:
        over.set()
        thread.join(5)
        server.close()
