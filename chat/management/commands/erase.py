"""Erases a visitor from a shell, as the admin and the visitors themselves do."""

import uuid
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat import turns
from chat.erasing import Erased
from chat.live import live


class Command(BaseCommand):
    help = (
        "Erases a visitor: conversations, leads, consents, counters. Their open chats close. Run "
        "again it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("visitor", help="the id, as the admin shows it")

    def handle(self, *args: Any, visitor: str, **options: Any) -> None:
        try:
            id = uuid.UUID(visitor)
        except ValueError:
            raise CommandError("That is no visitor's id.") from None
        erased = async_to_sync(_erase)(id)
        self.stdout.write(f"Erased: {erased}." if erased else "There is nothing of this visitor.")


async def _erase(visitor: uuid.UUID) -> Erased | None:
    await live.start()  # the line to the processes that serve
    try:
        return await turns.erase(visitor)
    finally:
        await live.stop()
