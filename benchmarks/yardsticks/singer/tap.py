# mypy: disable-error-code="import-not-found,misc,no-any-return"
# Only the environment of this yardstick has the Singer SDK.
"""A Singer tap for the sessions of the four vendors: `python -m benchmarks.yardsticks.singer.tap --config FILE`.

One stream per vendor, every field declared; a field that mixes numbers and text is declared as text. Installations and
parks are partitions of their stream: as parent streams they would make the target merge after each of them.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.types import Context
from singer_sdk.pagination import BaseAPIPaginator, JSONPathPaginator, OffsetPaginator, PageNumberPaginator

from benchmarks.yardsticks import accounts

_PAGE_SIZE = 100


def _schema(**types: str) -> dict[str, Any]:
    """A JSON schema from the space-separated field names of each type; every field may be missing."""
    return {
        "type": "object",
        "properties": {field: {"type": [kind, "null"]} for kind, fields in types.items() for field in fields.split()},
    }


class _Sessions(RESTStream[Any]):
    """The sessions of one vendor."""

    vendor: ClassVar[str]
    list_field: ClassVar[str]
    primary_keys = ("id",)

    @property
    def url_base(self) -> str:
        return accounts.base_url(self.vendor)

    @cached_property
    def http_headers(self) -> dict[str, str]:
        return accounts.headers(self.vendor)

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        return response.json()[self.list_field]


class ZaptecSessions(_Sessions):
    """Requested by installation, paged by cursor."""

    name = "zaptec_sessions"
    vendor = "zaptec"
    path = "/api/sessions/archived"
    list_field = "sessions"
    schema = _schema(
        string="id externalId chargerId deviceId deviceName chargerFirmwareVersion startDateTime endDateTime "
        "recognizedDateTime energy tokenName sessionSignature replacedBySessionId installationId",
        boolean="offline reliableClock stoppedByRfid signed voided aborted ocppNative externallyAbandoned",
        object="authorizedUser",
        array="energyDetails",
    )

    @cached_property
    def partitions(self) -> list[dict[str, Any]]:
        answer = self.requests_session.get(
            f"{self.url_base}/api/installation", params={"PageSize": "100"}, headers=self.http_headers, timeout=60
        )
        answer.raise_for_status()
        return [{"installationId": installation["Id"]} for installation in answer.json()["Data"]]

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return JSONPathPaginator("$.cursor")

    def get_url_params(self, context: Context | None, next_page_token: str | None) -> dict[str, Any]:
        assert context is not None
        query = {
            "InstallationId": context["installationId"],
            "From": accounts.read_from(),
            "To": accounts.read_to(),
            "PageSize": 200,
        }
        return query | ({"Cursor": next_page_token} if next_page_token else {})


class _Numbered(PageNumberPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return bool(self.current_value < response.json()["totalPages"])


class JedlixSessions(_Sessions):
    """Numbered pages."""

    name = "jedlix_sessions"
    vendor = "jedlix"
    path = "/api/v2/sessions"
    list_field = "items"
    schema = _schema(
        string="id userId vehicleId chargingLocationId status calibrationState startTime endTime energyCharged",
        boolean="isManaged",
        integer="startBatteryLevel endBatteryLevel",
    )

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return _Numbered(1)

    def get_url_params(self, context: Context | None, next_page_token: int | None) -> dict[str, Any]:
        return {"pageIndex": next_page_token, "pageSize": _PAGE_SIZE}


class _ByOffset(OffsetPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return 'rel="next"' in response.headers.get("Link", "")


class GreenfluxCdrs(_Sessions):
    """Offset and limit."""

    name = "greenflux_cdrs"
    vendor = "greenflux"
    path = "/api/1.0/cdrs"
    list_field = "data"
    schema = _schema(
        string="id start_date_time stop_date_time session_id auth_id token_uid token_visual_number auth_method "
        "meter_id currency total_energy remark driver_external_id customer_external_id emsp_country_code "
        "emsp_party_id cpo_id charger_type last_updated",
        number="total_cost total_cost_incl_vat total_time total_parking_time",
        object="location",
        array="charging_periods",
    )

    def get_new_paginator(self) -> BaseAPIPaginator[Any]:
        return _ByOffset(0, _PAGE_SIZE)

    def get_url_params(self, context: Context | None, next_page_token: int | None) -> dict[str, Any]:
        return {"offset": next_page_token, "limit": _PAGE_SIZE}


class SmappeeSessions(_Sessions):
    """All sessions of a park at once, as a bare array."""

    name = "smappee_sessions"
    vendor = "smappee"
    path = "/chargingparks/{parkId}/sessions"
    schema = _schema(
        string="serialNumber authenticationType csmsTransactionId status smartMode rfid energy parkId",
        integer="id connector from to priority minimumExcessPercentage range duration userId",
        number="startReading stopReading",
        boolean="suspendedByUser",
        array="maxAmperes",
    )

    @property
    def partitions(self) -> list[dict[str, Any]]:
        return [{"parkId": park} for park in accounts.parks()]

    def get_url_params(self, context: Context | None, next_page_token: None) -> dict[str, Any]:
        return {"range": f"{datetime.fromisoformat(accounts.read_from()).timestamp() * 1000:.0f}"}

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        return response.json()


class ChargingTap(Tap):
    """The four streams."""

    name = "tap-charging"
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}
    message_writer_class = MsgSpecWriter

    def discover_streams(self) -> list[_Sessions]:
        return [stream(self) for stream in (ZaptecSessions, JedlixSessions, GreenfluxCdrs, SmappeeSessions)]


if __name__ == "__main__":
    ChargingTap.cli()
