"""The floor: pages merely fetched and written as Parquet: `python -m benchmarks.floor PAGES FOLDER`.

PAGES is a JSON list of [vendor, path, query], known beforehand, so that several are always under way: no client that
has to find its way from page to page can be faster. One row per object, as JSON; no types, no keys, no state.
Prints the number of rows.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

CONNECTIONS = 8
ROWS_PER_WRITE = 20_000
_SCHEMA = pa.schema([("payload", pa.string())])
_LISTS = ("sessions", "Data", "items", "data")


def _sign_in(http: urllib3.PoolManager, vendor: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The headers that a vendor wants."""
    base = environment[f"{vendor.upper()}_BASE_URL"]
    if vendor == "greenflux":
        return {"Authorization": f"Token {environment['GREENFLUX_TOKEN']}"}
    if vendor == "jedlix":
        url, form = environment["JEDLIX_TOKEN_URL"], {"grant_type": "client_credentials", "audience": base}
    else:
        url = f"{base}/oauth2/token" if vendor == "smappee" else f"{base}/oauth/token"
        form = {"grant_type": "password"}
    for name in ("username", "password", "client_id", "client_secret"):
        value = environment.get(f"{vendor.upper()}_{name.upper()}")
        form |= {name: value} if value else {}
    answer = http.request("POST", url, fields=form, encode_multipart=False)
    return {"Authorization": f"Bearer {answer.json()['access_token']}", "ApiKey": environment["JEDLIX_API_KEY"]}


def _objects(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    return next((document[name] for name in _LISTS if name in document), [document])


def main(pages: str, folder: str) -> None:
    """Fetch every page and write one file per vendor and path."""
    http = urllib3.PoolManager(maxsize=CONNECTIONS, block=True, retries=False)
    by_list: dict[tuple[str, str], list[str]] = defaultdict(list)
    for vendor, path, query in json.loads(Path(pages).read_text()):
        by_list[vendor, path].append(query)
    headers = {vendor: _sign_in(http, vendor, os.environ) for vendor in {vendor for vendor, _ in by_list}}
    count = 0
    with ThreadPoolExecutor(CONNECTIONS) as executor:
        for number, ((vendor, path), queries) in enumerate(by_list.items()):
            url = os.environ[f"{vendor.upper()}_BASE_URL"] + path

            def fetch(query: str, url: str = url, vendor: str = vendor) -> list[bytes]:
                answer = http.request("GET", f"{url}?{query}", headers=headers[vendor])
                if answer.status not in (200, 204):
                    raise RuntimeError(f"HTTP {answer.status} for a page of {vendor}")
                return [orjson.dumps(each) for each in _objects(orjson.loads(answer.data or b"[]"))]

            with pq.ParquetWriter(Path(folder) / f"{number}.parquet", _SCHEMA, compression="zstd") as writer:
                waiting: list[bytes] = []
                for objects in executor.map(fetch, queries):
                    waiting += objects
                    count += len(objects)
                    if len(waiting) >= ROWS_PER_WRITE:
                        _write(writer, waiting)
                        waiting = []
                _write(writer, waiting)
    print(count)


def _write(writer: pq.ParquetWriter, rows: list[bytes]) -> None:
    writer.write_table(pa.table({"payload": pa.array(rows, pa.binary()).cast(pa.string())}, _SCHEMA))


if __name__ == "__main__":
    main(*sys.argv[1:])
