"""Column types that take whatever a program hands over: text that every database can hold, numbers of any size."""

from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

_LARGEST: Final = 2**63 - 1


class RowId(TypeDecorator[int]):
    """A row's number; one that is larger than any row's can be asked for, and is no row's."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite numbers rows only in a column of its own INTEGER type."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The nearest number that a column holds."""
        return None if value is None else max(-_LARGEST, min(_LARGEST, value))


class PlainText(TypeDecorator[str]):
    """Text from outside: what PostgreSQL cannot hold, NUL and halves of surrogate pairs, becomes a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The text as every database can hold it."""
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """The text with a question mark in place of each character that PostgreSQL cannot hold."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
