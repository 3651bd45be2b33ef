"""After a restore: every client drops its copy and takes what the database has."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import F

from chat.models import Conversation


class Command(BaseCommand):
    help = (
        "Run once after a backup was restored: browsers may hold messages that the backup does "
        "not, under numbers that will be given again. Each drops its copy and loads anew."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = Conversation.objects.update(epoch=F("epoch") + 1)
        self.stdout.write(f"{count} conversations have a new epoch.")
