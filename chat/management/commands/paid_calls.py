"""Stops all paid calls, or allows them again, from a shell: the same brake as in the admin."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chat import budgets
from chat.models import Brake


class Command(BaseCommand):
    help = "Stops all paid calls, allows them again, or says how things stand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("wish", choices=("stop", "allow", "show"))

    def handle(self, *args: Any, wish: str, **options: Any) -> None:
        if wish != "show":
            budgets.stop(wish == "stop", by="manage.py")
        brake = Brake.objects.filter(stopped=True).first()
        if brake is None:
            self.stdout.write("Models are asked, within the budgets.")
        else:
            since = brake.since.isoformat(timespec="seconds") if brake.since else "?"
            self.stdout.write(f"All paid calls are stopped, by {brake.by}, since {since}.")
