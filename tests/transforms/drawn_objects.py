"""Objects of the vendors as Hypothesis draws them: each field sound, odd or absent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

Object = dict[str, Any]

# Around both clock changes in Europe and the ends of months and of a year.
BEGINNINGS = st.sampled_from(
    [
        datetime(2026, 3, 28, 22, tzinfo=UTC),
        datetime(2026, 3, 31, 21, 30, tzinfo=UTC),
        datetime(2026, 10, 24, 23, 30, tzinfo=UTC),
        datetime(2026, 12, 31, 22, 58, tzinfo=UTC),
    ]
)
MILLISECONDS = st.one_of(
    st.integers(0, 10_800_000),
    st.integers(0, 12).map(lambda quarters: quarters * 900_000),
    st.sampled_from([0, 1, 60_000, 59_999, 40 * 86_400_000]),
)
INSTANTS = st.builds(lambda at, later: at + timedelta(milliseconds=later), BEGINNINGS, MILLISECONDS)

NOTHING_READABLE = st.sampled_from([None, "x", "NaN", "0001-01-01T00:00:00Z"])
"""Values that no vendor means to send, and that staging must handle all the same."""

ANY_JSON: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        " ",
        "x",
        True,
        False,
        0,
        -1,
        1.5,
        2**64,
        1e300,
        "1e400",
        [],
        {},
        [None],
        {"id": "a"},
        "9999-12-31T23:59:59Z",
    ]
)


def written(micro_kwh: int, *, as_text: bool = False) -> float | str:
    """Energy as a vendor writes it, exact to six decimals."""
    return str(Decimal(micro_kwh).scaleb(-6)) if as_text else micro_kwh / 1e6


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


_TIMES = st.one_of(
    INSTANTS.map(datetime.isoformat),
    INSTANTS.map(lambda instant: instant.strftime("%Y-%m-%d %H:%M:%S")),
)
_EPOCHS = st.one_of(INSTANTS.map(_milliseconds), INSTANTS.map(_milliseconds).map(str))
_NUMBERS = st.one_of(
    st.builds(written, st.integers(0, 80_000_000), as_text=st.booleans()),
    st.sampled_from([0, -0.0, 1e-7, -0.000001, 5000, 5000.000001, "5.", ".5", " 5 ", "1e1"]),
)
_WORDS = st.sampled_from(["a", "b", 1, "1", "STOPPED", "stopped", "CHARGING", "Complete", "ForceEnded", "Active", None])
_DECISIVE = {
    "voided": st.sampled_from([None, False, False, True]),
    "aborted": st.sampled_from([None, False, True]),
    "replacedBySessionId": st.sampled_from([None, None, None, "b"]),
}
"""Fields that decide yes or no: they get no odd values, which nobody could judge."""
_TIME_NAMES = ("time", "created", "modified", "updated")
_NUMBER_NAMES = ("energy", "reading", "volume", "total", "power", "tude")


def _leaves(name: str) -> st.SearchStrategy[Any]:
    lowered = name.lower()
    if lowered in ("from", "to"):
        return _EPOCHS
    if lowered == "type":
        return st.sampled_from(["ENERGY", "energy", "TIME"])
    if any(part in lowered for part in _NUMBER_NAMES) and not lowered.endswith("_time"):
        return _NUMBERS
    return _TIMES if any(part in lowered for part in _TIME_NAMES) else _WORDS


def _values(name: str, kind: pl.DataType | type[pl.DataType], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    if isinstance(kind, pl.Struct):
        return st.none() | objects(kind, odd)
    if isinstance(kind, pl.List):
        return st.none() | st.lists(_values(name, kind.inner, odd), max_size=3)
    if name in _DECISIVE:
        return _DECISIVE[name]
    sound = _leaves(name)
    return st.one_of(sound, sound, sound, odd)


def objects(fields: pl.Struct, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """Objects of these fields, some of them absent, some with a value of `odd`."""
    drawn = st.fixed_dictionaries({field.name: _values(field.name, field.dtype, odd) for field in fields.fields})
    absent = st.just(frozenset()) | st.frozensets(st.sampled_from([field.name for field in fields.fields]), max_size=3)
    return st.builds(lambda item, left: {name: item[name] for name in item if name not in left}, drawn, absent)
