"""Embeds what has no current vector, now rather than by the sweep."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.embeddings import EmbeddingError, embed_pending, embedder
from knowledge.models import Entry


class Command(BaseCommand):
    help = "Embeds every knowledge entry that has no current vector."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            maker = embedder()
            if maker is None:
                self.stdout.write("Knowledge is searched by words alone: nothing to embed.")
                return
            done = 0
            while Entry.objects.unembedded(maker.name).exists():
                done += embed_pending(strict=True)
        except EmbeddingError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Embedded {done} entries with {maker.name}.")
