"""Statements that the ORM makes once and that are given only their values after that.

For what stands on the way of every reply: to build and compile such a query takes the process
longer than the database takes to answer it. What comes back are the same instances of the models
that the queryset itself would give; what is written is what `save` would write, without its
signals.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, Self, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.models import Expression, F, Field, Model, QuerySet, UUIDField
from django.db.models.base import ModelState
from django.db.models.expressions import CombinedExpression
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)
R = TypeVar("R", bound="Row")


class Row(Model):
    """A model whose rows become instances without `__init__`, which sends signals that nobody
    hears and looks at each column for what may be given in its place.
    """

    class Meta:
        abstract = True

    @classmethod
    def fresh(cls, **fields: Any) -> Self:
        """A new row with these fields and the defaults of the others, as the class itself makes."""
        made = cls.__new__(cls)
        made._state = ModelState()
        constants, computed = _defaults(cls)
        made.__dict__.update(constants)
        for name, compute in computed:
            if name not in fields:
                made.__dict__[name] = compute()
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    @classmethod
    def from_db(
        cls: type[R], db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> R:
        """What is not among the names is read when it is asked for, as Django does it."""
        made = cls.__new__(cls)
        made._state = ModelState()
        made._state.adding, made._state.db = False, db
        made.__dict__.update(zip(field_names, values, strict=True))
        return made


@cache
def _defaults(
    model: type[Model],
) -> tuple[Mapping[str, Any], Sequence[tuple[str, Callable[[], Any]]]]:
    """Of a new row: what is the same in all, and what is computed, each by the column's name."""
    fields = model._meta.concrete_fields
    computed = [one for one in fields if one.has_default() and callable(one.default)]
    constants = {one.attname: one.get_default() for one in fields if one not in computed}
    return constants, [(one.attname, one.default) for one in computed]


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
        connection, compiled = _connection(), self._ready()
        rows = self._rows(compiled, values)
        return [self._instance(compiled, row, connection) for row in rows]

    def first(self, **values: Any) -> M | None:
        """The first row; the queryset should ask for no more."""
        found = self.all(**values)
        return found[0] if found else None

    def raw(self, **values: Any) -> list[tuple[Any, ...]]:
        """What the database gives for a queryset of `values`, not converted: to be compared."""
        return self._rows(self._ready(), values)

    def _ready(self) -> _Compiled[M]:
        """For this kind of database. Threads that come at once compile it each, to the same."""
        vendor = _connection().vendor
        found = self._compiled.get(vendor)
        if found is None:
            found = self._compiled[vendor] = self._compile()
        return found

    @staticmethod
    def _rows(compiled: _Compiled[M], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        connection = _connection()
        given = [
            value.output_field.get_db_prep_value(values[value.name], connection)
            if isinstance(value, Slot)
            else value
            for value in compiled.values
        ]
        return _executed(connection, compiled.sql, given).fetchall()

    def _compile(self) -> _Compiled[M]:
        queryset, connection = self._build(), _connection()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, values = compiler.as_sql()
        found: Mapping[str, Any] = compiler.klass_info or {}
        select = found.get("select_fields")  # none in a queryset of `values`
        own = range(select[0], select[-1] + 1) if select else ()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return _Compiled(
            model=queryset.model,
            sql=sql,
            values=values,
            names=[compiler.select[at][0].target.attname for at in own],
            converters=[(at, *found) for at, found in converters.items()],
            populators=get_related_populators(found, compiler.select, connection.alias)
            if select
            else (),
        )

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


class Counting(Prepared[M]):
    """Adds one to a field of one row, by its primary key, stores the slots given with it, and gives
    the row as it is then: at once what a lock, a look and a `save` are.

    >>> counted = Counting(Conversation, "rev", updated=Slot("now", DateTimeField()))
    >>> counted.first(pk=conversation, now=timezone.now())
    """

    def __init__(self, model: type[M], field: str, **given: Slot) -> None:
        key = Slot("pk", model._meta.pk)
        super().__init__(lambda: model._default_manager.filter(pk=key).order_by())
        self._changes: dict[str, Expression | CombinedExpression] = {field: F(field) + 1, **given}

    def _compile(self) -> _Compiled[M]:
        read, connection = super()._compile(), _connection()
        query: Any = self._build().query.chain(UpdateQuery)
        query.add_update_values(self._changes)
        sql, values = query.get_compiler(connection=connection).as_sql()
        columns = {one.attname: one.column for one in read.model._meta.concrete_fields}
        read_then = ", ".join(_quoted(columns[name]) for name in read.names)
        return replace(read, sql=f"{sql} RETURNING {read_then}", values=values)


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
    connection, model = _connection(), type(rows[0])
    columns = _columns(model)
    given = tuple(tuple(at for at, one in enumerate(columns) if one.differs(row)) for row in rows)
    values = [
        field.get_db_prep_save(field.pre_save(row, True), connection)
        for row, places in zip(rows, given, strict=True)
        for field in (columns[at].field for at in places)
    ]
    statement = _inserts(model, given, connection.vendor) + ending
    cursor = _executed(connection, statement, values)
    return {pk for (pk,) in cursor.fetchall()} if ending else set()


def _mark_stored(*rows: Model) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def update(row: Model, *names: str) -> None:
    """Stores these fields of a row, as `row.save(update_fields=names)` does.

    Raises `DatabaseError` where the row is gone.
    """
    if not update_where(row, names, {}):
        raise DatabaseError("the row is gone")


def update_where(row: Model, names: Sequence[str], where: Mapping[str, Any]) -> bool:
    """The same, where other fields of the stored row hold these values; False: it is not so."""
    connection = _connection()
    pk, fields = _chosen(type(row), names)
    values = [f.get_db_prep_save(f.pre_save(row, False), connection) for f in fields]
    values.append(pk.get_db_prep_save(row.pk, connection))
    _, asked = _chosen(type(row), tuple(where))
    values += [f.get_db_prep_save(where[f.name], connection) for f in asked]
    statement = _updates(type(row), names, tuple(where), connection.vendor)
    return int(_executed(connection, statement, values).rowcount) == 1


@cache
def _chosen(
    model: type[Model], names: Sequence[str]
) -> "tuple[Field[Any, Any], Sequence[Field[Any, Any]]]":
    found = [model._meta.get_field(name) for name in names]
    return model._meta.pk, [field for field in found if isinstance(field, Field)]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a new row, and its default as the statement has it, where that is a constant."""

    field: "Field[Any, Any]"
    default: Any = None
    literal: str = ""

    def differs(self, row: Model) -> bool:
        return not self.literal or getattr(row, self.field.attname) != self.default


@cache
def _columns(model: type[Model]) -> Sequence[_Column]:
    found = []
    for field in model._meta.concrete_fields:
        computed = field.has_default() and callable(field.default) and field.default is not list
        if computed or field.primary_key or type(field).pre_save is not Field.pre_save:
            found.append(_Column(field))
            continue
        default = field.get_default()
        literal = next((text for value, text in _LITERALS if _same(value, default)), "")
        found.append(_Column(field, default, literal))
    return found


# What most columns of a new row hold. Given as values each is converted, and a statement with more
# than fifty of them is worked out anew by the driver each time.
_LITERALS: Sequence[tuple[Any, str]] = (
    (None, "NULL"),
    ("", "''"),
    ([], "'[]'"),
    (False, "FALSE"),
    (True, "TRUE"),
    (1, "1"),
)


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


@cache
def _inserts(model: type[Model], given: Sequence[Sequence[int]], vendor: str) -> str:
    """`given`: of each row the places of the columns that come as values."""
    columns = _columns(model)
    rows = ", ".join(
        f"({', '.join('%s' if at in places else one.literal for at, one in enumerate(columns))})"
        for places in given
    )
    names = ", ".join(_quoted(one.field.column) for one in columns)
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) VALUES {rows}"  # noqa: S608


@cache
def _updates(model: type[Model], names: Sequence[str], where: Sequence[str], vendor: str) -> str:
    pk, fields = _chosen(model, names)
    pairs = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
    table = _quoted(model._meta.db_table)
    asked = " AND ".join(f"{_quoted(one.column)} = %s" for one in (pk, *_chosen(model, where)[1]))
    return f"UPDATE {table} SET {pairs} WHERE {asked}"  # noqa: S608


def by_hand(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Runs a statement that was written by hand; its rows, where it is `RETURNING` any."""
    cursor = _executed(_connection(), statement, values)
    return cursor.fetchall() if "RETURNING" in statement else []


def _executed(connection: Any, statement: str, values: Sequence[Any]) -> Any:
    """The cursor after the statement. On PostgreSQL it is psycopg's own, unless Django keeps count
    of statements: to make one of Django's, and to go through it, takes as long as the statement.
    """
    if connection.vendor != "postgresql":
        cursor = connection.cursor()
        cursor.execute(statement, values)
        return cursor
    connection.ensure_connection()
    own = connection.connection
    # PostgreSQL keeps its plan of the statement: to plan one takes it as long as to run it. Of
    # these alone, for what a plan is worth to one value it is worth to all.
    own.prepare_threshold = 0 if settings.DATABASE_PREPARES else None
    try:
        if connection.queries_logged or connection.execute_wrappers:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            return cursor
        connection.validate_no_broken_transaction()
        with connection.wrap_database_errors:
            return own.execute(statement, values)
    finally:
        own.prepare_threshold = None


def _quoted(name: str) -> str:
    return _connection().ops.quote_name(name)


def _connection() -> Any:
    """Itself: behind `django.db.connection` every attribute is looked up in the thread's store."""
    return connections[DEFAULT_DB_ALIAS]
