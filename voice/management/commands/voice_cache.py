"""What is kept of spoken words, and what that has saved; makes room."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from voice import clips


class Command(BaseCommand):
    help = "Says how much audio is kept, how often it was heard and what that has saved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--trim", action="store_true", help="keeps to age and size now")
        parser.add_argument("--clear", action="store_true", help="deletes all of it")

    def handle(self, *args: Any, trim: bool, clear: bool, **options: Any) -> None:
        if trim or clear:
            gone = clips.clear() if clear else clips.trim()
            self.stdout.write(f"Deleted {gone} segments.")
        self.stdout.write(f"{clips.figures()}.")
