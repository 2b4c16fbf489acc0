"""Runs one query of `questions.sql` on the published file: `python -m benchmarks.questions FILE [NAME]`.

Prints how many seconds it took from opening the file to the last row; without a name, prints the names as JSON.
"""

import json
import sys
import time
from pathlib import Path

_NAMED = "-- "


def questions() -> dict[str, str]:
    """SQL by name: in the file, each query follows its name."""
    written = Path(__file__).with_name("questions.sql").read_text()
    parts = (part.partition("\n") for part in written.split(f"\n{_NAMED}")[1:])
    return {name.strip(): sql.strip() for name, _, sql in parts}


def main(file: str, name: str | None = None) -> None:
    """Run one query, or list the names of all."""
    if name is None:
        print(json.dumps(list(questions())))
        return
    import duckdb

    begun = time.perf_counter()
    with duckdb.connect(file, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(questions()[name]).fetchall()
    seconds = time.perf_counter() - begun
    if not rows:
        raise SystemExit(f"the query returned no rows: {name}")
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
