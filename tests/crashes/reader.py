"""An analyst's process: `python -m tests.crashes.reader DATABASE STOP [held]` asks again and again until STOP exists.

Prints the distinct answers in the order of their first appearance, as a JSON list. With `held`, one connection stays
open all the time; without, every query opens the file again.
"""

import json
import os
import sys
import time
from pathlib import Path

import duckdb

STATE = """
    SELECT (SELECT count(*) FROM fact_session),
           (SELECT CAST(sum(energy_kwh) AS VARCHAR) FROM fact_session),
           (SELECT CAST(sum(energy_kwh) AS VARCHAR) FROM fact_energy),
           (SELECT count(*) FROM dim_charge_station)
"""


def ask(connection: duckdb.DuckDBPyConnection) -> list[object]:
    return list(connection.execute(STATE).fetchall()[0])


def main(database: str, stop: Path, is_held: bool) -> None:
    answers: list[list[object]] = []
    held = duckdb.connect(database, read_only=True) if is_held else None
    while True:
        is_last = stop.exists()
        if held is not None:
            answer = ask(held)
        else:
            with duckdb.connect(database, read_only=True) as connection:
                answer = ask(connection)
        if answer not in answers:
            answers.append(answer)
        if len(answers) == 1:
            stop.with_name(f"{os.getpid()}.began").touch()
        time.sleep(0.05)
        if is_last:
            break
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "held" in sys.argv[3:])
