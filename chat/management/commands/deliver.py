"""Sends what webhooks wait for, from a shell or a timer: as the server's own sweep does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chat import deliveries
from chat.models import Delivery


class Command(BaseCommand):
    help = "Sends the messages to webhooks that are due, and says how many arrived."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=100, help="messages at the most (100)")

    def handle(self, *args: Any, limit: int, **options: Any) -> None:
        arrived = deliveries.deliver_due(limit)
        waiting = Delivery.objects.filter(state=Delivery.State.WAITING).count()
        self.stdout.write(f"{arrived} delivered, {waiting} waiting.")
