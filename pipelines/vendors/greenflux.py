"""GreenFlux: locations, charge stations and charge detail records (CDRs), in the style of OCPI 2.1.1.

API: static token; lists with offset and limit, filtered by last modification: `date_from` inclusive, `date_to`
exclusive, on `modified` (`created` where that is null) for locations and charge stations, on `last_updated` for CDRs.
Business errors come as HTTP 200 with a status_code of 2xxx or 3xxx and no data.

The trap: an object that is edited while its list is paged leaves the window and moves the rows behind it one place
forward, so that one row is never shown. The reader watches the total and steps back.
Late: a row is only as late as its modification; the overlap covers a server whose clock or commit lags. Status changes
of an EVSE do not count as a modification. A station that becomes visible late was modified long before, so only a
reconcile, which reads locations and stations whole, finds it. A CDR may be issued again under the same id.
Known lies: Link, X-Total-Count and X-Limit headers may be missing, and the list may come bare, without its envelope.
Source: "Intro to Charge-Location Management API"; OCPI 2.1.1, transport and CDRs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from pipelines.faults import ReadingError
from pipelines.personal_data import PersonalData
from pipelines.settings import GreenfluxAccount, Patience
from pipelines.vendors.contract import Endpoint, Line, Position, Question, Window, text_at
from pipelines.vendors.http_client import AnswerFault, HttpClient, Tally
from pipelines.vendors.instants import iso_milliseconds
from pipelines.vendors.links import links_of
from pipelines.vendors.paging.offset import read_offset_pages
from pipelines.vendors.paging.pages import OffsetPage, Page, key_by_id
from pipelines.vendors.sign_in import StaticToken
from pipelines.vendors.windows import since_modified, since_watermark

OVERLAP = timedelta(minutes=15)

LIMIT = 100
"""No cap is documented: this is the size that clients of the API are known to use. A server that caps its pages lower
is followed all the same."""

BACK = frozenset({"prev", "previous"})
"""A page that links back but not forward is the last. Links to the first and to the last page prove nothing: any page
may carry them."""

DEFAULT_PORTS = (None, 80, 443)
"""All count as the same host: a server behind a proxy that terminates TLS writes `http` into its links, and thereby
another default port."""

DOCUMENTATION = "https://developer.greenflux.com/docs/intro-to-charge-location-management-api"

LOCATIONS = Endpoint(
    "greenflux",
    "locations",
    "Locations, as received.",
    DOCUMENTATION,
    id_field="id",
    modified_field="modified",
    clock="modified",
)
CHARGE_STATIONS = Endpoint(
    "greenflux",
    "charge_stations",
    "Charge stations with their EVSEs and connectors, as received.",
    DOCUMENTATION,
    id_field="charge_station_id",
    modified_field="modified",
    clock="modified",
)
CDRS = Endpoint(
    "greenflux",
    "cdrs",
    "Charge detail records, as received.",
    "https://developer.greenflux.com/reference",
    id_field="id",
    started_field="start_date_time",
    ended_field="stop_date_time",
    modified_field="last_updated",
    clock="modified",
)


class Greenflux:
    """One GreenFlux platform subscription."""

    name = "greenflux"
    endpoints: Sequence[Endpoint] = (LOCATIONS, CHARGE_STATIONS, CDRS)
    personal_data = PersonalData(
        pseudonymised={
            "auth_id": "token",
            "token_uid": "token",
            "token_visual_number": "token",
            "driver_id": "user",
            "driver_external_id": "user",
            "customer_id": "customer",
            "customer_external_id": "customer",
            "cpo_customer_external_id": "customer",
            # The values of these rules are ids of customers, groups and home tokens.
            "auth_rules.value": "customer",
        },
        dropped=frozenset({"client_ip_address", "iccid", "imsi", "endpoint", "created_by", "modified_by"}),
        signed_readings=frozenset({"signed_data"}),
        measurements=frozenset({"charging_periods"}),
    )

    def __init__(self, account: GreenfluxAccount, patience: Patience) -> None:
        self._account = account
        self._client = HttpClient(
            account.base_url,
            StaticToken({"Authorization": f"Token {account.token.get_secret_value()}"}),
            account.requests_per_second,
            patience,
        )

    def rounds(self, question: Question) -> Iterator[Sequence[Sequence[Line]]]:
        def modified_since(position: Position) -> Sequence[Window]:
            return since_modified(question, position, OVERLAP)

        def issued_since(position: Position) -> Sequence[Window]:
            return since_watermark(question, position, OVERLAP)

        yield [
            [Line(endpoint, "all", issued_since if endpoint is CDRS else modified_since, self._reader(endpoint, path))]
            for endpoint, path in self._paths()
        ]

    def check_credentials(self, tally: Tally) -> str:
        for endpoint, path in self._paths():
            self._client.get(path, {"offset": 0, "limit": 1}, tally, _check)
            return f"{endpoint.name} answered"
        return "every endpoint is off"

    def _paths(self) -> Iterator[tuple[Endpoint, str]]:
        if self._account.locations_version:
            yield LOCATIONS, f"/api/{self._account.locations_version}/Locations"
        if self._account.stations_version:
            yield CHARGE_STATIONS, f"/api/{self._account.stations_version}/ChargeStations"
        if self._account.cdrs_version:
            yield CDRS, f"/api/{self._account.cdrs_version}/cdrs"

    def _reader(self, endpoint: Endpoint, path: str) -> Callable[[Window, Tally], Iterator[Page]]:
        def read(window: Window, tally: Tally) -> Iterator[Page]:
            bounds: dict[str, str | int] = {"date_to": iso_milliseconds(window.to_at)}
            if window.from_at is not None:
                bounds["date_from"] = iso_milliseconds(window.from_at)

            def fetch(offset: int) -> OffsetPage:
                answer = self._client.get(path, {**bounds, "offset": offset, "limit": LIMIT}, tally, _check)
                page = Page(_objects(answer.document), answer.requested_at)
                return OffsetPage(page, _total(answer.headers), *self._next_page(answer.headers))

            return read_offset_pages(fetch, key_by_id(endpoint.id_field), text_at(endpoint.modified_field), LIMIT)

        return read

    def _next_page(self, headers: Mapping[str, str]) -> tuple[bool | None, int | None]:
        """Whether a Link header names a next page, None where it does not say; and the offset in that link.

        The link itself is never followed. Raises ReadingError for one to another host, which would get the token.
        """
        links = links_of(headers.get("Link", ""))
        for link in links:
            if "next" not in link.relations:
                continue
            if _host(self._account.base_url, link.target) != _host(self._account.base_url):
                raise ReadingError("the link to the next page leads to another host, which is not allowed.")
            return True, _offset_in(link.target)
        # OCPI leaves the header out on the last page, and some servers never send it: the total decides.
        return (False if any(link.relations & BACK for link in links) else None), None


def _host(base_url: str, link: str = "") -> tuple[str | None, int | None, str | None] | None:
    """Host, port and user that a link on a page below `base_url` leads to; None for one that cannot be parsed.

    The scheme and its default port do not count (DEFAULT_PORTS says why).
    """
    try:
        parts = urlsplit(urljoin(base_url, link))
        port = None if parts.port in DEFAULT_PORTS else parts.port
    except ValueError:
        return None
    return parts.hostname, port, parts.username


def _offset_in(link: str) -> int | None:
    """The offset that a link, whose host can be parsed, asks for; None where it names none."""
    offset = dict(parse_qsl(urlsplit(link).query)).get("offset", "")
    return int(offset) if offset.isdecimal() else None


def _objects(document: Any) -> list[Any]:
    """The rows of an answer: an envelope with a list or one object, or a bare list."""
    data = document["data"] if isinstance(document, dict) else document
    return data if isinstance(data, list) else [data]


def _total(headers: Mapping[str, str]) -> int | None:
    value = headers.get("X-Total-Count", "")
    return int(value) if value.isdecimal() else None


def _check(document: Any) -> None:
    """OCPI: status 1xxx is success; any other has no data, though it comes as HTTP 200."""
    if isinstance(document, list):
        return
    if not isinstance(document, dict):
        raise AnswerFault("the response is neither a list nor an OCPI envelope", is_passing=True)
    code = _status_code(document.get("status_code"))
    if code is not None and not 1000 <= code < 2000:
        is_rate_limit = "rate limit" in str(document.get("status_message", "")).lower()
        raise AnswerFault(f"refused with OCPI status {code}", is_passing=code >= 3000 or is_rate_limit)
    if not isinstance(document.get("data"), list | dict):
        raise AnswerFault("the response contains no data", is_passing=True)


def _status_code(told: Any) -> int | None:
    """The code as a number, which may come as text or with a decimal point; None where there is none."""
    if told is None:
        return None
    try:
        number = float(told)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if isinstance(told, bool) or not number.is_integer():
        raise AnswerFault("the response has an invalid status code", is_passing=True)
    return int(number)
