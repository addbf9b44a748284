"""The forms in which a table leaves as a file: CSV and Parquet, made a page of rows at a time.

pyarrow is imported with the first Parquet file: an API that is never asked for one does without its memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Union, get_args, get_origin

import msgspec

from ionet_indexer.core.answers import Digits

if TYPE_CHECKING:
    import pyarrow as pa

# A group ends at the first page with which it has as many; as Arrow holds them, before compression.
GROUP_ROWS, GROUP_BYTES = 20_000, 8 << 20
U64_DIGITS = 20


class File(Protocol):
    """A file in the making. Not for two threads at once."""

    media_type: ClassVar[str]

    def begin(self) -> bytes:
        """What comes before the rows."""

    def add(self, items: Sequence[Any]) -> bytes:
        """What these rows bring, or nothing yet."""

    def end(self) -> bytes:
        """What comes after the last row."""

    def drop(self) -> None:
        """Let go of a file that is not finished."""


class CsvFile:
    """RFC 4180. Lists and objects are JSON, null is empty."""

    media_type: ClassVar[str] = "text/csv"

    def __init__(self, out: type[Any], finalized_slot: int) -> None:  # noqa: ARG002 - a CSV file says nothing of itself
        self._names = _names(out)

    def begin(self) -> bytes:
        """The names of the columns."""
        return _lines([self._names])

    def add(self, items: Sequence[Any]) -> bytes:
        """A line each."""
        return _lines([[_cell(getattr(item, name)) for name in self._names] for item in items])

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def drop(self) -> None:
        """Nothing is held."""


class ParquetFile:
    """Row groups of bounded size, compressed with zstd; see docs/api.md for the types."""

    media_type: ClassVar[str] = "application/vnd.apache.parquet"

    def __init__(self, out: type[Any], finalized_slot: int) -> None:
        import pyarrow.parquet as pq

        self._columns = {field.encode_name: Column(field.type) for field in msgspec.structs.fields(out)}
        self._schema = schema_of(out).with_metadata({"ionet-finalized-slot": str(finalized_slot)})
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._group: list[pa.RecordBatch] = []

    def begin(self) -> bytes:
        """The mark of the format."""
        return self._sink.taken()

    def add(self, items: Sequence[Any]) -> bytes:
        """A whole row group, or nothing yet."""
        import pyarrow as pa

        arrays = [column.array([getattr(item, name) for item in items]) for name, column in self._columns.items()]
        self._group.append(pa.record_batch(arrays, schema=self._schema))
        rows, held = sum(part.num_rows for part in self._group), sum(part.nbytes for part in self._group)
        if rows >= GROUP_ROWS or held >= GROUP_BYTES:
            self._write()
        return self._sink.taken()

    def end(self) -> bytes:
        """The last row group, and the directory of all."""
        self._write()
        self._writer.close()
        return self._sink.taken()

    def drop(self) -> None:
        """The writer ends its file when it goes; into nothing."""
        self._group.clear()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        group, self._group = self._group, []
        if group:
            self._writer.write_table(pa.Table.from_batches(group), row_group_size=sum(part.num_rows for part in group))


class Column:
    """A field of an answer as a Parquet column: its type, and what makes an Arrow array of values."""

    def __init__(self, kind: Any) -> None:
        self.type, self._stored = _stored(kind)
        self._digits = _bare(kind) == Digits

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Raises pyarrow.ArrowInvalid for a number that its type does not hold."""
        import pyarrow as pa

        if self._digits:
            return pa.array(values, pa.string()).cast(self.type)
        stored = self._stored
        if stored is not None:
            values = [None if value is None else stored(value) for value in values]
        return pa.array(values, self.type)


def schema_of(out: type[Any]) -> pa.Schema:
    """The columns of an answer's file."""
    import pyarrow as pa

    return pa.schema([(field.encode_name, Column(field.type).type) for field in msgspec.structs.fields(out)])


def _stored(kind: Any) -> tuple[pa.DataType, Callable[[Any], Any] | None]:
    """A type, and how a value that is not null becomes one of it (null: as it is)."""
    import pyarrow as pa

    kind = _bare(kind)
    if kind == Digits:
        return pa.decimal128(U64_DIGITS, 0), Decimal
    if kind in (bool, int, str):
        return {bool: pa.bool_(), int: pa.int64(), str: pa.string()}[kind], None
    origin, inner = get_origin(kind), get_args(kind)
    if origin is list:
        item, stored = _stored(inner[0])
        return pa.list_(item), stored and (lambda value: [None if each is None else stored(each) for each in value])
    if origin is dict and inner == (str, int):
        return pa.map_(pa.string(), pa.int64()), lambda value: list(value.items())
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        columns = {field.encode_name: _stored(field.type) for field in msgspec.structs.fields(kind)}
        return pa.struct([(name, of) for name, (of, _) in columns.items()]), lambda value: {
            name: each if (each := getattr(value, name)) is None or stored is None else stored(each)
            for name, (_, stored) in columns.items()
        }
    return pa.string(), lambda value: msgspec.json.encode(value).decode()


def _bare(kind: Any) -> Any:
    """Without null: every column may have it."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    (bare,) = (each for each in get_args(kind) if each is not type(None))
    return bare


class _Sink(io.RawIOBase):
    """What a writer wrote, until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        """Everything since it was last asked."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _names(out: type[Any]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(out)]


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return msgspec.json.encode(value).decode()


Form = type[CsvFile] | type[ParquetFile]
FORMS: dict[str, Form] = {"csv": CsvFile, "parquet": ParquetFile}
"""By the end of a file's name."""
