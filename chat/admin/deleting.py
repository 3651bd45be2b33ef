"""The page that asks whether to delete a row names all that goes along: some, but not thousands."""

from typing import Any

from django.contrib.admin.utils import model_ngettext
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.admin import ModelAdmin

NAMED = 50  # more than these are counted
MOST = 2000  # more than these are not deleted within a request


class CountedDeletion(ModelAdmin):
    """For a row that thousands of others go along with, by the relation `along`.

    `fast`: the database deletes them in one go. Else a row with too many of them stays.
    """

    along: str
    fast = True

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        relation: Any = self.opts.get_field(self.along)
        model = relation.related_model
        rows = model._base_manager.filter(**{f"{relation.field.name}__in": objs})
        most = None if self.fast else MOST + 1
        count = rows.values("pk")[:most].count()
        if count <= NAMED:
            return super().get_deleted_objects(objs, request)
        name = model_ngettext(model, count)
        if count == most:
            return [], {}, set(), [f"{capfirst(name)}: > {MOST:,}"]
        theirs = self.admin_site._registry.get(model)
        lacking = set() if theirs is None or theirs.has_delete_permission(request) else {name}
        return (
            [f"{capfirst(self.opts.verbose_name)}: {row}" for row in objs],
            {
                self.opts.verbose_name_plural: len(objs),
                name: count,
            },
            lacking,
            [],
        )
