"""Fetches every list of the four vendors, pages in parallel, parses it and writes it as typed Parquet into FOLDER.

`python -m benchmarks.yardsticks.floor FOLDER`. One file per list, one row per object, one column per field, nested
values as nested columns; the column of a field that mixes numbers and text is text. No keys, no state, no second
reading. Prints the number of objects.
"""

import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import orjson
import polars as pl
import urllib3

from benchmarks.yardsticks import accounts

CONNECTIONS = 8
LISTS_AT_ONCE = 16

Parameters = dict[str, str]
Pages = list[bytes]


class Floor:
    """The reader of all lists: a thread for each list, and all their requests over `CONNECTIONS` connections."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = ThreadPoolExecutor(CONNECTIONS)
        self._lists = ThreadPoolExecutor(LISTS_AT_ONCE)
        self._http = urllib3.PoolManager(maxsize=CONNECTIONS, block=True, retries=False)
        self._headers = dict(zip(accounts.VENDORS, self._lists.map(accounts.headers, accounts.VENDORS), strict=True))

    def run(self) -> int:
        """Reads everything; returns the number of objects."""
        writing = [self._lists.submit(self._write, name, field, read) for name, field, read in self._single_lists()]
        installations = self._numbered("zaptec", "/api/installation", "PageIndex", "PageSize", "Pages", first=0)
        writing.append(self._lists.submit(self._write, "zaptec_installations", "Data", lambda: installations))
        ids = [each["Id"] for page in installations for each in orjson.loads(page)["Data"]]
        archives = self._lists.map(self._archived_sessions, ids)
        writing.append(
            self._lists.submit(
                self._write, "zaptec_sessions", "sessions", lambda: [page for one in archives for page in one]
            )
        )
        return sum(each.result() for each in writing)

    def _single_lists(self) -> Iterable[tuple[str, str, Callable[[], Pages]]]:
        """Name, field that holds the objects, and reader of every list that can be requested at once."""
        yield "greenflux_cdrs", "data", lambda: self._by_offset("/api/1.0/cdrs")
        yield "jedlix_sessions", "items", lambda: self._jedlix("/api/v2/sessions")
        yield "smappee_sessions", "sessions", self._park_sessions
        yield (
            "zaptec_chargers",
            "Data",
            lambda: self._numbered("zaptec", "/api/chargers", "PageIndex", "PageSize", "Pages", first=0),
        )
        yield "greenflux_charge_stations", "data", lambda: self._by_offset("/api/2.0/ChargeStations")
        yield "greenflux_locations", "data", lambda: self._by_offset("/api/2.0/Locations")
        yield "jedlix_users", "items", lambda: self._jedlix("/api/v2/users")
        yield "jedlix_vehicles", "items", lambda: self._jedlix("/api/v2/vehicles")
        yield "jedlix_charging_locations", "items", lambda: self._jedlix("/api/v2/charging-locations")

    def _jedlix(self, path: str) -> Pages:
        return self._numbered("jedlix", path, "pageIndex", "pageSize", "totalPages", first=1)

    def _numbered(self, vendor: str, path: str, index: str, size: str, pages: str, first: int) -> Pages:
        """A list that says on its first page how many pages there are."""
        first_page = self._get(vendor, path, {index: str(first), size: "100"})
        numbers = range(first + 1, first + orjson.loads(first_page)[pages])
        return [first_page, *self._get_all(vendor, path, [{index: str(number), size: "100"} for number in numbers])]

    def _by_offset(self, path: str) -> Pages:
        """A list that says in a header how many objects there are."""
        response = self._response("greenflux", path, {"offset": "0", "limit": "100"})
        offsets = range(100, int(response.headers["X-Total-Count"]), 100)
        others = [{"offset": str(offset), "limit": "100"} for offset in offsets]
        return [response.data, *self._get_all("greenflux", path, others)]

    def _archived_sessions(self, installation: str) -> Pages:
        """The one list that must be followed from page to page; the installations are read in parallel."""
        query = {
            "InstallationId": installation,
            "From": accounts.read_from(),
            "To": accounts.read_to(),
            "PageSize": "200",
        }
        pages: Pages = []
        cursor: Parameters = {}
        while True:
            page = self._get("zaptec", "/api/sessions/archived", {**query, **cursor})
            pages.append(page)
            document = orjson.loads(page)
            if not document["hasMore"]:
                return pages
            cursor = {"Cursor": document["cursor"]}

    def _park_sessions(self) -> Pages:
        """The sessions of every park, each a bare array that is wrapped in an object."""
        start = f"{datetime.fromisoformat(accounts.read_from()).timestamp() * 1000:.0f}"
        arrays = self._requests.map(
            lambda park: self._get("smappee", f"/chargingparks/{park}/sessions", {"range": start}), accounts.parks()
        )
        return [b'{"sessions":%b}' % array for array in arrays]

    def _get_all(self, vendor: str, path: str, queries: list[Parameters]) -> Iterable[bytes]:
        return self._requests.map(lambda query: self._get(vendor, path, query), queries)

    def _get(self, vendor: str, path: str, query: Parameters) -> bytes:
        return self._response(vendor, path, query).data

    def _response(self, vendor: str, path: str, query: Parameters) -> urllib3.BaseHTTPResponse:
        url = accounts.base_url(vendor) + path
        response = self._http.request("GET", url, fields=query, headers=self._headers[vendor])
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status} for a page of {vendor}{path}")
        return response

    def _write(self, name: str, field: str, read: Callable[[], Pages]) -> int:
        pages = pl.read_ndjson(io.BytesIO(b"\n".join(read())), infer_schema_length=None)
        objects = pages.select(field).explode(field).drop_nulls()
        if objects.height:
            objects = objects.unnest(field)
        objects.write_parquet(self._folder / f"{name}.parquet")
        return objects.height


if __name__ == "__main__":
    print(Floor(Path(sys.argv[1])).run())
