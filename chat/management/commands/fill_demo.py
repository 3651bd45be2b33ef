"""Fills the database with made-up talks, to see how the desk does with many."""

import random
import re
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from chat import campaigns
from chat.models import Conversation, Lead, Message, Site, Visitor

BATCH = 2000  # rows of one INSERT
DAYS = 180  # over which they are spread
WORDS = re.findall(
    r"\w+",
    """bike cargo price delivery battery range children school brake rain cover colour warranty
    insurance lease monday spring service repair tyre light lock basket pedal wheel frame rental
    city hill winter test ride appointment budget company fleet invoice tax discount return""",
)
LOCALES = ("en-US", "en-GB", "de", "de-AT", "fr", "es", "it", "pl")


class Command(BaseCommand):
    help = "Adds made-up conversations to a site, to measure with. They count nowhere as money."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=int, default=10_000, help="how many, about")
        parser.add_argument("--site", default="demo", help="the site's public key")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same talks")

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.filter(key=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site {options['site']!r}: `manage.py seed_demo`.")
        if options["messages"] < 1:
            raise CommandError("--messages is 1 or more.")
        chance = random.Random(options["seed"])
        made = 0
        for talks in _batches(_talks(site, chance, options["messages"])):
            made += self._store(site, talks)
            self.stdout.write(f"{made} messages", ending="\r")
        _count_again()
        self.stdout.write(f"Added {made} messages to {site}.")

    def _store(self, site: Site, talks: list[tuple[Conversation, list[Message]]]) -> int:
        rows = [row for row, _ in talks]
        Visitor.objects.bulk_create(
            [Visitor(id=row.visitor_id, site=site, locale=row.locale) for row in rows], BATCH
        )
        Conversation.objects.bulk_create(rows, BATCH)
        messages = [message for _, said in talks for message in said]
        Message.objects.bulk_create(messages, BATCH)
        Lead.objects.bulk_create(
            [_lead(site, row) for row in rows if row.id.int % 12 == 0],  # one in twelve
            BATCH,
        )
        return len(messages)


def _count_again() -> None:
    """PostgreSQL learns what it has: its autovacuum would see to it in a minute or two, and what is
    measured before that goes by plans that no server keeps."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in (Visitor, Conversation, Message, Lead):
                cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def _batches(talks: Iterator[tuple[Conversation, list[Message]]]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for talk in talks:
        batch.append(talk)
        if len(batch) == BATCH // 4:
            yield batch
            batch = []
    if batch:
        yield batch


def _talks(
    site: Site, chance: random.Random, messages: int
) -> Iterator[tuple[Conversation, list[Message]]]:
    now = timezone.now()
    while messages > 0:
        began = now - timedelta(seconds=chance.random() ** 2 * DAYS * 86_400)
        row = _conversation(site, chance, began)
        said = list(_messages(row, site, chance, began))
        row.rev = row.last_seq = len(said)
        row.updated = said[-1].created
        messages -= len(said)
        yield row, said


def _conversation(site: Site, chance: random.Random, began: datetime) -> Conversation:
    days = (timezone.now() - began).days
    closed = days > 30 or chance.random() < 0.2
    page = f"https://www.haulberry.example/{chance.choice(WORDS)}"
    if chance.random() < 0.2:
        page += f"?utm_source={chance.choice(WORDS)}&utm_medium=cpc&utm_campaign=spring"
    row = Conversation(
        id=uuid.UUID(int=chance.getrandbits(128), version=4),
        site=site,
        visitor_id=uuid.UUID(int=chance.getrandbits(128), version=4),
        state=Conversation.State.CLOSED if closed else Conversation.State.OPEN,
        locale=chance.choice(LOCALES),
        page_url=page,
        campaign=campaigns.in_a_line(page),
        page_title=_sentence(chance, 3),
        referrer="https://search.example/" if chance.random() < 0.5 else "",
        created=began,
    )
    if not closed and chance.random() < 0.01:
        row.waiting_since = row.waiting_mailed = row.absent_told = began
    return row


def _messages(
    row: Conversation, site: Site, chance: random.Random, began: datetime
) -> Iterator[Message]:
    question: Message | None = None
    for seq in range(1, 2 * chance.randint(1, 7) + 1):
        began += timedelta(seconds=chance.randint(3, 60))
        message = Message(
            id=uuid.UUID(int=chance.getrandbits(128), version=4),
            conversation=row,
            seq=seq,
            rev=seq,
            created=began,
            text=_sentence(chance, chance.randint(3, 30)),
        )
        if seq % 2:
            question = message
            message.role = Message.Role.VISITOR
            message.visitor_id, message.client_id = row.visitor_id, str(message.id)
        else:
            _answers(message, question, site, chance)
        yield message


def _answers(message: Message, question: Message | None, site: Site, chance: random.Random) -> None:
    message.role, message.reply_to = Message.Role.AGENT, question
    message.persona_version_id = site.persona.published_id
    message.backend, message.model = "completions", "made-up"
    message.first_word_ms = int(chance.lognormvariate(6.3, 0.5))
    message.duration_ms = message.first_word_ms + chance.randint(200, 4000)
    message.input_tokens, message.output_tokens = chance.randint(400, 3000), chance.randint(5, 200)
    message.cost = Decimal(message.output_tokens) / 1_000_000
    if chance.random() < 0.005:
        message.state, message.error_code = Message.State.FAILED, "try_again"
    elif chance.random() < 0.1:
        message.feedback = 1 if chance.random() < 0.8 else -1


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words)).capitalize() + "."


def _lead(site: Site, row: Conversation) -> Lead:
    name = f"Visitor {row.id.hex[:6]}"
    return Lead(
        conversation=row,
        site=site,
        name=name,
        email=f"{row.id.hex[:10]}@visitor.example",
        created=row.created,
        mailed=row.created,
    )
