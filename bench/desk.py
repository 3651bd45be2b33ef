"""How long the server takes for each page of the desk, with as many messages as there are.

    export DATABASE_URL=postgres://...
    python manage.py migrate
    python manage.py seed_demo
    python manage.py fill_demo --messages 1000000
    python -m bench.desk [--times 30] [--only WORD]

Asks each page in this process, without a socket or a browser between, as a member of staff who may
see all of it, and prints for each the median and the 95th percentile of the wall clock, the CPU
time of Python in the median, and how many queries it asked.
"""

import argparse
import logging
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

TALKS = "/admin/chat/conversation/"
LEADS = "/admin/chat/lead/"
FILTERS = [
    "p=20",
    "state__exact=open",
    "state__exact=closed",
    "waiting=yes",
    "waiting=no",
    "lead=yes",
    "lead=no",
    "failed=yes",
    "failed=no",
    "unanswered=yes",
    "unanswered=no",
    "rated=yes",
    "rated=no",
    "language=de",
    "language=ja",
    "channel__exact=web",
    "tag=fleet",
    "period=0",
    "period=7",
    "period=90",
    "o=1",
    "o=-5",
    "state__exact=open&lead=yes&language=de&period=30",
    "failed=yes&lead=yes&language=pl",
    "rated=yes&state__exact=closed&language=it",
    "q=bike&lead=yes",
    "q=bike+cargo+price&state__exact=open&language=de&period=30",
]
WORDS = (
    "bike",
    "bik",
    "b",
    "zebra",
    "haulberry",
    "cargo bike",
    '"cargo bike"',
    "winter test ride",
    "bike cargo price delivery battery range",
    "bike cargo price delivery battery range children brake",
    '"winter test" ride children',
    "zebra giraffe",
    "bike zebra",
    "@visitor.example bike cargo price delivery battery range brake",
    "visitor",
    "@visitor.example",
    "ab12",
    "ab12cd34",
)
LEAD_FILTERS = [
    "p=20",
    "stage__exact=new",
    "owner=me",
    "owner=none",
    "period=30",
    "o=1",
    "o=3",
    "o=-5",
    "q=visitor",
    "q=ab1",
    "q=zebra",
    "q=a",
]
OTHERS = {
    "personas": "chat/persona/",
    "persona": "chat/persona/1/change/",
    "compare": "chat/persona/1/compare/",
    "questions to answer again": "chat/persona/1/questions/",
    "questions to answer again, bad ones": "chat/persona/1/questions/?which=bad",
    "questions to answer again, searched": "chat/persona/1/questions/?q=bike",
    "questions to answer again, not found": "chat/persona/1/questions/?q=zebra",
    "open questions": "chat/persona/open-questions/",
    "open questions, gathered": "chat/persona/gathered/",
    "knowledge": "knowledge/entry/",
    "knowledge, searched": "knowledge/entry/?q=bike",
    "try it": "knowledge/entry/try/?q=price",
    "import": "knowledge/entry/import/",
    "sites": "chat/site/",
    "site": "chat/site/1/change/",
    "site, to be deleted": "chat/site/1/delete/",
    "spending": "chat/spend/",
    "prices": "chat/modelprice/",
    "webhooks": "chat/webhook/",
    "deliveries": "chat/delivery/",
    "deliveries, failed": "chat/delivery/?state__exact=failed",
    "canned replies": "chat/cannedreply/",
    "users": "auth/user/",
    "health": "chat/conversation/health/",
    "voice": "voice/clip/",
    "visitors": "chat/visitor/",
}


def last(model: Any) -> int:
    """The last page that its list can be turned to."""
    from django.contrib import admin

    shown = admin.site.get_model_admin(model)
    return int(shown.paginator(model.objects.order_by("pk"), shown.list_per_page).num_pages)


def pages() -> Iterator[tuple[str, Sequence[str]]]:
    """Names, and addresses that take turns: of one talk the second opening costs less."""
    from chat.models import Conversation, Delivery, Lead, Visitor

    newest = Conversation.objects.order_by("-updated").values_list("pk", flat=True)[:30]
    longest = Conversation.objects.order_by("-last_seq").values_list("pk", flat=True)[:30]
    yield "home", ["/admin/"]
    yield "conversations", [TALKS]
    for query in FILTERS:
        yield f"conversations, {query}", [f"{TALKS}?{query}"]
    yield "conversations, the last page", [f"{TALKS}?p={last(Conversation)}"]
    for words in WORDS:
        yield f"conversations, search: {words}", [f"{TALKS}?q={quote(words)}"]
    yield "transcript", [f"{TALKS}{pk}/change/" for pk in newest]
    yield "transcript, the longest", [f"{TALKS}{pk}/change/" for pk in longest]
    yield "a talk's history", [f"{TALKS}{pk}/history/" for pk in newest]
    yield "a visitor, to be erased", [f"{TALKS}{pk}/delete/" for pk in newest]
    yield "leads", [LEADS]
    yield "leads, the last page", [f"{LEADS}?p={last(Lead)}"]
    for query in LEAD_FILTERS:
        yield f"leads, {query}", [f"{LEADS}?{query}"]
    leads = Lead.objects.order_by("-created").values_list("pk", flat=True)[:30]
    yield "lead", [f"{LEADS}{pk}/change/" for pk in leads]
    yield "a lead's history", [f"{LEADS}{pk}/history/" for pk in leads]
    yield "a lead, to be deleted", [f"{LEADS}{pk}/delete/" for pk in leads]
    visitors = Visitor.objects.order_by("-created").values_list("pk", flat=True)[:30]
    yield "visitor", [f"/admin/chat/visitor/{pk}/change/" for pk in visitors]
    yield "visitors, the last page", [f"/admin/chat/visitor/?p={last(Visitor)}"]
    yield "deliveries, the last page", [f"/admin/chat/delivery/?p={last(Delivery)}"]
    for name, path in OTHERS.items():
        yield name, [f"/admin/{path}"]


def measure(client: Any, addresses: Sequence[str], times: int) -> tuple[float, float, float, int]:
    """Milliseconds: median, 95th percentile, CPU; and queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        response = client.get(addresses[0])
    assert response.status_code == 200, f"{addresses[0]}: {response.status_code}"
    queries = len(asked)  # the next request forgets them
    took, busy = [], []
    for n in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        client.get(addresses[n % len(addresses)])
        took.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - cpu) * 1000)
    took.sort()
    p95 = took[min(times - 1, int(times * 0.95))]
    return statistics.median(took), p95, statistics.median(busy), queries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=30, help="requests of each page")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    connection.settings_dict["OPTIONS"].pop("options", None)  # nothing ends a statement
    logging.disable(logging.WARNING)
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    user, _made = User.objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    client.force_login(user)
    print("| page | median ms | p95 ms | CPU ms | queries |\n|---|---|---|---|---|")
    for name, addresses in pages():
        if options.only in name:
            middle, high, cpu, asked = measure(client, addresses, options.times)
            print(f"| {name} | {middle:.0f} | {high:.0f} | {cpu:.0f} | {asked} |", flush=True)
    user.delete()


if __name__ == "__main__":
    main()
