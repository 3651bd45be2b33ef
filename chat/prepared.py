"""SELECTs that the ORM makes once and that are given only their values after that.

For what stands on the way of every reply: to build and compile such a query takes the process
longer than the database takes to answer it. What comes back are the same instances of the models
that the queryset itself would give.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Expression, Field, Model, QuerySet, UUIDField
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]

M = TypeVar("M", bound=Model)


class Slot(Expression):
    """Stands in a queryset for a value that is given later, by `name`."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=output_field or UUIDField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


@dataclass(frozen=True, slots=True)
class _Compiled(Generic[M]):
    """What the compiler of one database has made of a queryset."""

    model: type[M]
    sql: str
    values: Sequence[Any]  # slots among them
    names: Sequence[str]  # of the model's columns, which come first
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    populators: Sequence[Any]  # of related models


class Prepared(Generic[M]):
    """A queryset with slots. `build` is called at the first use, when all models are loaded.

    >>> by_id = Prepared(lambda: Message.objects.filter(id=Slot("id")))
    >>> by_id.first(id=message)
    """

    def __init__(self, build: Callable[[], QuerySet[M]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled[M]] = {}  # by vendor of the database

    def all(self, **values: Any) -> list[M]:
        """The rows, in the queryset's order."""
        compiled = self._compiled.get(connection.vendor) or self._compile()
        given = [
            value.output_field.get_db_prep_value(values[value.name], connection)
            if isinstance(value, Slot)
            else value
            for value in compiled.values
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, given)
            rows = cursor.fetchall()
        return [self._instance(compiled, row) for row in rows]

    def first(self, **values: Any) -> M | None:
        """The first row; the queryset should ask for no more."""
        found = self.all(**values)
        return found[0] if found else None

    def _compile(self) -> _Compiled[M]:
        queryset = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        found: Mapping[str, Any] = compiler.klass_info or {}
        own = range(found["select_fields"][0], found["select_fields"][-1] + 1)
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiled = _Compiled(
            model=queryset.model,
            sql=sql,
            values=values,
            names=[compiler.select[at][0].target.attname for at in own],
            converters=[(at, *found) for at, found in converters.items()],
            populators=get_related_populators(found, compiler.select, connection.alias),
        )
        self._compiled[connection.vendor] = compiled
        return compiled

    @staticmethod
    def _instance(compiled: _Compiled[M], row: Sequence[Any]) -> M:
        values = list(row)
        for at, functions, expression in compiled.converters:
            for function in functions:
                values[at] = function(values[at], expression, connection)
        names = compiled.names
        made = compiled.model.from_db(connection.alias, names, values[: len(names)])
        for populator in compiled.populators:
            populator.populate(values, made)
        return made
