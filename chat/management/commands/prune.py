"""Deletes what has been kept long enough; to be run once a day."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chat.pruning import prune


class Command(BaseCommand):
    help = (
        "Deletes conversations that are older than their site's days kept, visitors left with "
        "none, summaries of ended conversations, old spending. May run at any time, and twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="says what it would delete")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        done = prune(dry=dry_run)
        found = ", ".join(f"{count} {what}" for what, count in done.items() if count)
        begin = "Would delete" if dry_run else "Deleted"
        self.stdout.write(f"{begin}: {found or 'nothing'}.")
