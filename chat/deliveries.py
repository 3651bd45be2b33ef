"""Tells a company's own servers of its leads: signed, and again until they say they have it.

What is to be sent is stored in the same transaction as the change it tells of, so none is lost. It
is sent by the server's sweep or `manage.py deliver`; whichever moves the row's time on sends it.
The same message may arrive twice, where a process dies between sending and writing that down: it
bears the same `webhook-id` then. Headers and signature are those of Standard Webhooks.
"""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import random
import time
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from chat import outbound
from chat.models import Delivery, Lead, Site, Webhook
from chat.models.leads import CONTACT, QUALIFYING
from chat.privacy import Consent

logger = logging.getLogger(__name__)

REST = timedelta(seconds=10)  # so that what a visitor says in a row goes out as one
CLAIM = timedelta(seconds=60)  # for one attempt; if nothing is known by then, another is made
ATTEMPTS = 10  # over a day and some hours
FIRST_PAUSE = 30.0  # seconds after the first failure; four times as many after each further one
LONGEST_PAUSE = 6 * 3600.0
ALONG = ("site", "owner", "conversation")
LOGGED = 10  # attempts kept


def queue(lead: Lead, *, new: bool = False) -> None:
    """Every webhook of the lead's site will hear of it; once, whatever changes until then."""
    hooks = Webhook.objects.filter(site_id=lead.site_id, enabled=True)
    event = Delivery.Event.CREATED if new else Delivery.Event.UPDATED
    due = timezone.now() + REST
    rows = [Delivery(webhook=hook, lead=lead, event=event, due=due) for hook in hooks]
    if rows:
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)


def ping(webhook: Webhook) -> Delivery:
    """A message without anybody's data, to see whether the other side answers."""
    return Delivery.objects.create(webhook=webhook, event=Delivery.Event.PING)


def again(delivery: uuid.UUID) -> bool:
    """Sends a message once more, from the beginning; False where it waits to be sent anyway."""
    state = Delivery.State.WAITING
    rows = Delivery.objects.filter(id=delivery).exclude(state=state)
    # One attempt counts as made: another that waits for the same lead goes out on its own.
    return rows.update(state=state, attempts=1, due=timezone.now()) == 1


def deliver_due(limit: int = 10) -> int:
    """Sends what is due, oldest first, and says how many arrived.

    A webhook that fails is left alone for the rest of the round: it would hold up the others.
    """
    arrived, failing = 0, set()
    due = Delivery.objects.filter(state=Delivery.State.WAITING, due__lte=timezone.now())
    for row in due.select_related("webhook").order_by("due")[:limit]:
        if row.webhook_id in failing or not _claim(row):
            continue
        if _send(row):
            arrived += 1
        else:
            failing.add(row.webhook_id)
    return arrived


def _claim(row: Delivery) -> bool:
    """True in one of all the processes that try."""
    mine = Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING, due=row.due)
    taken = mine.update(due=timezone.now() + CLAIM, attempts=F("attempts") + 1) == 1
    if taken:
        row.attempts += 1
    return taken


def _send(row: Delivery) -> bool:
    started = time.monotonic()
    status, error = None, ""
    if not row.webhook.enabled:
        error = "switched off"
    else:
        body = payload(row)
        try:
            status = outbound.post(row.webhook.url, body, headers(row, body))
        except outbound.Unreachable as unreachable:
            error = unreachable.code
    duration = int((time.monotonic() - started) * 1000)
    arrived = status is not None and 200 <= status < 300
    _note(row, arrived, status, error, duration)
    extra = {"delivery": str(row.pk), "status": status or 0, "error": error}
    logger.log(logging.INFO if arrived else logging.WARNING, "webhook asked", extra=extra)
    return arrived


def _note(row: Delivery, arrived: bool, status: int | None, error: str, duration: int) -> None:
    now = timezone.now()
    entry: dict[str, Any] = {"at": now.isoformat(timespec="seconds"), "status": status}
    entry |= {"ms": duration, "error": error}
    changes: dict[str, Any] = {"status": status, "log": [*row.log, entry][-LOGGED:]}
    if arrived:
        changes |= {"state": Delivery.State.DELIVERED, "delivered": now}
    elif row.attempts >= ATTEMPTS or status == 410 or not row.webhook.enabled:
        changes |= {"state": Delivery.State.FAILED}  # 410: it wants no more
    else:
        changes |= {"due": now + timedelta(seconds=_pause(row.attempts))}
    Delivery.objects.filter(pk=row.pk).update(**changes)


def _pause(attempts: int) -> float:
    """Seconds until the next attempt, spread so that not all come back at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 4 ** (attempts - 1))
    return longest * random.uniform(0.8, 1.2)


# --- What is sent -------------------------------------------------------------------------------


def headers(row: Delivery, body: bytes) -> dict[str, str]:
    """Who sends it, when, and the proof of both."""
    sent = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "sales-agent-webhook/1",
        "webhook-id": str(row.pk),
        "webhook-timestamp": str(sent),
        "webhook-signature": sign(row.webhook.secret, str(row.pk), sent, body),
    }


def sign(secret: str, id: str, sent: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, time (Unix seconds) and body, joined by dots."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = secret.encode()
    made = hmac.new(key, f"{id}.{sent}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def payload(row: Delivery) -> bytes:
    """The message, with the lead as it is now."""
    lead = Lead.objects.select_related(*ALONG).filter(deliveries=row.pk).first()
    content: dict[str, Any] = {
        "id": str(row.pk),
        "type": row.event,
        "timestamp": timezone.now().isoformat(timespec="seconds"),
        "data": {"lead": as_shape(lead)} if lead else {},
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def as_shape(lead: Lead) -> dict[str, Any]:
    """A lead as others get it."""
    site: Site = lead.site
    page = reverse("admin:chat_lead_change", args=[lead.pk])
    given = Consent.objects.filter(visitor=lead.conversation.visitor_id).select_related("text")
    return {
        "id": lead.pk,
        "site": site.key,
        "conversation": str(lead.conversation_id),
        **{name: getattr(lead, name) for name in (*CONTACT, *QUALIFYING, "note")},
        "evidence": lead.evidence,
        "stage": lead.stage,
        "score": lead.score,
        "owner": lead.owner.get_username() if lead.owner else None,
        "source": lead.source(),
        "consents": [
            {"version": each.text.version, "given": each.given.isoformat()} for each in given
        ],
        "page": f"{settings.PUBLIC_URL}{page}",
        "created": lead.created.isoformat(),
        "updated": lead.updated.isoformat(),
    }
