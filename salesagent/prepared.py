"""Statements that the ORM makes once and that are given only their values after that.

For what stands on the way of every reply: to build and compile such a query takes the process
longer than the database takes to answer it. What comes back are the same instances of the models
that the queryset itself would give; what is written is what `save` would write, without its
signals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
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

    def __init__(self, build: Callable[[], QuerySet[M, Any]]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled[M]] = {}  # by vendor of the database

    def all(self, **values: Any) -> list[M]:
        """The rows, in the queryset's order."""
        connection = _connection()
        compiled = self._compiled.get(connection.vendor) or self._compile()
        rows = self._rows(compiled, values)
        return [self._instance(compiled, row, connection) for row in rows]

    def first(self, **values: Any) -> M | None:
        """The first row; the queryset should ask for no more."""
        found = self.all(**values)
        return found[0] if found else None

    def raw(self, **values: Any) -> list[tuple[Any, ...]]:
        """What the database gives for a queryset of `values`, not converted: to be compared."""
        compiled = self._compiled.get(_connection().vendor) or self._compile()
        return self._rows(compiled, values)

    @staticmethod
    def _rows(compiled: _Compiled[M], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection = _connection()
        given = [
            value.output_field.get_db_prep_value(values[value.name], connection)
            if isinstance(value, Slot)
            else value
            for value in compiled.values
        ]
        with connection.cursor() as cursor:
            _execute(connection, cursor, compiled.sql, given)
            return cursor.fetchall()

    def _compile(self) -> _Compiled[M]:
        queryset, connection = self._build(), _connection()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        found: Mapping[str, Any] = compiler.klass_info or {}
        select = found.get("select_fields")  # none in a queryset of `values`
        own = range(select[0], select[-1] + 1) if select else ()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        compiled = _Compiled(
            model=queryset.model,
            sql=sql,
            values=values,
            names=[compiler.select[at][0].target.attname for at in own],
            converters=[(at, *found) for at, found in converters.items()],
            populators=get_related_populators(found, compiler.select, connection.alias)
            if select
            else (),
        )
        self._compiled[connection.vendor] = compiled
        return compiled

    @staticmethod
    def _instance(compiled: _Compiled[M], row: Sequence[Any], connection: Any) -> M:
        values = list(row)
        for at, functions, expression in compiled.converters:
            for function in functions:
                values[at] = function(values[at], expression, connection)
        names = compiled.names
        made = compiled.model.from_db(connection.alias, names, values[: len(names)])
        for populator in compiled.populators:
            populator.populate(values, made)
        return made


# --- Writing ------------------------------------------------------------------------------------


def insert(row: Model) -> None:
    """Stores a new row whose primary key is set, as `row.save(force_insert=True)` does."""
    _insert([row], "")
    _mark_stored(row)


def insert_unless_there(*rows: M) -> list[M]:
    """The same for rows of one model, in one statement: those that no stored row excludes.

    They are stored in this order, and so one may exclude another that comes after it.
    """
    pk = _quoted(rows[0]._meta.pk.column)
    stored = _insert(rows, f" ON CONFLICT DO NOTHING RETURNING {pk}")
    key, connection = rows[0]._meta.pk.get_db_prep_save, _connection()
    found = [row for row in rows if key(row.pk, connection) in stored]
    _mark_stored(*found)
    return found


def _insert(rows: Sequence[Model], ending: str) -> set[Any]:
    """The primary keys that came back, as the database has them."""
    connection, fields = _connection(), rows[0]._meta.concrete_fields
    values = [f.get_db_prep_save(f.pre_save(row, True), connection) for row in rows for f in fields]
    statement = _inserts(type(rows[0]), len(rows), connection.vendor) + ending
    with connection.cursor() as cursor:
        _execute(connection, cursor, statement, values)
        return {pk for (pk,) in cursor.fetchall()} if cursor.description else set()


def _mark_stored(*rows: Model) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def update(row: Model, *names: str) -> None:
    """Stores these fields of a row, as `row.save(update_fields=names)` does.

    Raises `DatabaseError` where the row is gone.
    """
    connection = _connection()
    pk, fields = _chosen(type(row), names)
    values = [f.get_db_prep_save(f.pre_save(row, False), connection) for f in fields]
    with connection.cursor() as cursor:
        statement = _updates(type(row), names, connection.vendor)
        values.append(pk.get_db_prep_save(row.pk, connection))
        _execute(connection, cursor, statement, values)
        if cursor.rowcount != 1:
            raise DatabaseError("the row is gone")


@cache
def _chosen(
    model: type[Model], names: Sequence[str]
) -> "tuple[Field[Any, Any], Sequence[Field[Any, Any]]]":
    found = [model._meta.get_field(name) for name in names]
    return model._meta.pk, [field for field in found if isinstance(field, Field)]


@cache
def _inserts(model: type[Model], count: int, vendor: str) -> str:
    columns = [_quoted(field.column) for field in model._meta.concrete_fields]
    row = f"({', '.join(['%s'] * len(columns))})"
    table = _quoted(model._meta.db_table)
    rows = ", ".join([row] * count)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows}"  # noqa: S608


@cache
def _updates(model: type[Model], names: Sequence[str], vendor: str) -> str:
    pk, fields = _chosen(model, names)
    pairs = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    table = _quoted(model._meta.db_table)
    return f"UPDATE {table} SET {pairs} WHERE {_quoted(pk.column)} = %s"  # noqa: S608


def by_hand(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Runs a statement that was written by hand; its rows, where it gives any."""
    connection = _connection()
    with connection.cursor() as cursor:
        _execute(connection, cursor, statement, values)
        return cursor.fetchall() if cursor.description else []


def _execute(connection: Any, cursor: Any, statement: str, values: Sequence[Any]) -> None:
    """Has PostgreSQL keep its plan of the statement: to plan one takes it as long as to run it.

    Of these statements alone, for what a plan is worth to one value it is worth to all.
    """
    own = connection.connection if connection.vendor == "postgresql" else None
    if own is None or not settings.DATABASE_PREPARES:
        cursor.execute(statement, values)
        return
    own.prepare_threshold = 0
    try:
        cursor.execute(statement, values)
    finally:
        own.prepare_threshold = None


def _quoted(name: str) -> str:
    return _connection().ops.quote_name(name)


def _connection() -> Any:
    """Itself: behind `django.db.connection` every attribute is looked up in the thread's store."""
    return connections[DEFAULT_DB_ALIAS]
