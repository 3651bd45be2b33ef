"""What the agent knows: collections of entries, each found by meaning and by words."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Collection(models.Model):
    """A body of knowledge; a site answers from one."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("collection")
        verbose_name_plural = _("collections")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


WORDS = frozenset({"title", "questions", "text"})  # what an entry's vector is made from


class EntryQuerySet(models.QuerySet["Entry"]):
    def update(self, **changes: Any) -> int:
        """As Django's, but new words lose their vector, and open searches notice the change."""
        if WORDS & changes.keys():
            changes |= {"vector": None, "vector_model": ""}
        return super().update(**{"updated": timezone.now(), **changes})

    update.alters_data = True  # type: ignore[attr-defined]

    def enabled(self) -> "EntryQuerySet":
        return self.filter(enabled=True)

    def unembedded(self, model: str) -> "EntryQuerySet":
        """Entries whose vector is missing, or was made by another model than `model`."""
        return self.enabled().exclude(vector_model=model, vector__isnull=False)


class Entry(models.Model):
    """One thing the company can say: a question's answer, a product, a rule."""

    collection = models.ForeignKey(
        Collection, on_delete=models.CASCADE, related_name="entries", verbose_name=_("collection")
    )
    title = models.CharField(
        _("title"), max_length=200, help_text=_("As a visitor would ask it, or the thing's name.")
    )
    questions = models.TextField(
        _("other ways to ask"), blank=True, help_text=_("One a line. Never shown, only searched.")
    )
    text = models.TextField(_("text"), help_text=_("What the agent may say, in your own words."))
    link = models.URLField(
        _("link"), blank=True, help_text=_("Shown to the visitor as the source.")
    )
    language = models.CharField(_("language"), max_length=10, default="en")
    enabled = models.BooleanField(_("enabled"), default=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    updated = models.DateTimeField(_("updated"), auto_now=True)
    # float32, little-endian, unit length, one after the other for each of `embeddings.parts`;
    # made in the background, null until then.
    vector = models.BinaryField(null=True, editable=False)
    vector_model = models.CharField(max_length=80, blank=True, editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("knowledge entry")
        verbose_name_plural = _("knowledge entries")
        ordering = ["title"]
        indexes = [models.Index(fields=["collection", "enabled"], name="entry_of_collection")]

    def __str__(self) -> str:
        return self.title

    def save(
        self,
        *args: Any,
        update_fields: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        """Stores the entry; new words lose the old vector, and the sweep makes another."""
        if update_fields is None:
            self._follow_stored_words()
        elif update_fields := set(update_fields):
            update_fields.add("updated")
            if WORDS & update_fields:
                self.vector, self.vector_model = None, ""
                update_fields |= {"vector", "vector_model"}
        super().save(*args, update_fields=update_fields, **options)

    def keep_vector(self, vector: bytes, *, model: str) -> int:
        """Stores the vector; 1, or 0 if the entry has one or was changed since it was read."""
        unchanged = Entry.objects.unembedded(model).filter(pk=self.pk, updated=self.updated)
        return unchanged.update(vector=vector, vector_model=model, updated=self.updated)

    def _follow_stored_words(self) -> None:
        """Takes the stored vector if the words are the stored ones, otherwise none.

        What this object holds may be older than the row: a vector that was made meanwhile stays,
        and one made from other words never goes with these.
        """
        stored = Entry.objects.filter(pk=self.pk).first() if self.pk else None
        if stored is None:
            return
        if all(getattr(self, name) == getattr(stored, name) for name in WORDS):
            self.vector, self.vector_model = stored.vector, stored.vector_model
        else:
            self.vector, self.vector_model = None, ""
