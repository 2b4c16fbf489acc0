"""The settings, read from environment variables and the `.env` file. No other module reads settings from either.

The environment overrides the file, and may name another file (CHARGEHOUSE_ENV_FILE). An empty value counts as not set.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from pipelines.faults import ConfigurationError
from pipelines.variables import LONGEST_SECONDS, Variables, is_this_machine, url_fault

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
ENV_FILE = PROJECT_FOLDER / ".env"
ENV_FILE_VARIABLE = "CHARGEHOUSE_ENV_FILE"
"""Names another file than ENV_FILE; only the environment can set it."""
MAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port of each way to secure SMTP. Source: RFC 6409, 3.1; RFC 8314, 3.3; RFC 5321, 4.5.4.2."""
VENDOR_PREFIXES = ("ZAPTEC_", "JEDLIX_", "GREENFLUX_", "SMAPPEE_")
PREFIXES = ("CHARGEHOUSE_", *VENDOR_PREFIXES)
REFRESH_TIMES = {"hourly": "7 * * * *", "daily": "15 3 * * *"}
"""By keyword, when the scheduled refresh runs in the configured zone: not on the full hour, when everybody calls the
vendors; daily at night, when charging days are over."""

DEMONSTRATION = "CHARGEHOUSE_DEMONSTRATION"
"""Set for the processes of a demonstration, never by a user. They ignore the vendor variables of the `.env` file."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a vendor: to connect, for each piece of an answer, and after the first failed attempt."""

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    first_pause_seconds: float = 0.5


@dataclass(frozen=True)
class ZaptecAccount:
    """An account at Zaptec, and the scopes whose sessions are read; without any, every installation it can list."""

    username: str
    password: SecretStr
    base_url: str
    installation_ids: tuple[str, ...]
    charger_ids: tuple[str, ...]
    user_ids: tuple[str, ...]
    requests_per_second: float


@dataclass(frozen=True)
class JedlixAccount:
    """A tenant at Jedlix. `audience` is that of the requested token. `api_key` is None where the tenant has none."""

    client_id: str
    client_secret: SecretStr
    api_key: SecretStr | None
    base_url: str
    token_url: str
    audience: str
    requests_per_second: float


@dataclass(frozen=True)
class GreenfluxAccount:
    """A platform subscription at GreenFlux. `*_version` is the version in the path; None leaves the endpoint out."""

    token: SecretStr
    base_url: str
    locations_version: str | None
    stations_version: str | None
    cdrs_version: str | None
    requests_per_second: float


@dataclass(frozen=True)
class SmappeeAccount:
    """An account at Smappee. `park_ids` are the service locations that are charging parks."""

    client_id: str
    client_secret: SecretStr
    username: str
    password: SecretStr
    base_url: str
    park_ids: tuple[str, ...]
    requests_per_second: float


@dataclass(frozen=True)
class Webhook:
    """Where alerts are posted in Slack's format. Anyone who knows the address may post, so it is a secret."""

    url: SecretStr

    @property
    def host(self) -> str:
        """The host, which is all of the address that may be shown."""
        return urlsplit(self.url.get_secret_value()).hostname or ""


@dataclass(frozen=True)
class Mail:
    """The mail server for alerts, and their recipients. `security` is starttls, tls (from the first byte) or none."""

    host: str
    port: int
    security: str
    username: str
    password: SecretStr | None
    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Everything that a run needs to know. A vendor or a way of alerting that is not configured is None.

    `data` is an absolute path. `first_month` is YYYY-MM, or None for 24 months before the run. `ui_url` is where people
    reach the web UI, without a trailing slash. `postgres_url` is where Dagster keeps its history; None: SQLite files.
    `refresh_times` is the cron expression of the scheduled refresh. With `are_schedules_on`, the schedules, and the
    sensor that builds what they touch, are on from the start. `is_demonstration`: the vendors are the sandbox, which
    plays them if none is configured. `are_new_hosts_accepted`: a vendor may have moved to another host.
    `is_new_key_accepted`: the pseudonym key may differ from the one that the data was written with.
    """

    data: Path
    time_zone: str
    first_month: str | None
    pseudonym_key: SecretStr | None
    keep_signed_readings: bool
    patience: Patience
    zaptec: ZaptecAccount | None = None
    jedlix: JedlixAccount | None = None
    greenflux: GreenfluxAccount | None = None
    smappee: SmappeeAccount | None = None
    webhook: Webhook | None = None
    mail: Mail | None = None
    ui_url: str | None = None
    postgres_url: SecretStr | None = None
    refresh_times: str = REFRESH_TIMES["daily"]
    are_schedules_on: bool = False
    is_demonstration: bool = False
    are_new_hosts_accepted: bool = False
    is_new_key_accepted: bool = False

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors that are configured."""
        return tuple(self._accounts)

    def base_url(self, vendor: str) -> str:
        """The base URL of a configured vendor. Raises KeyError for one that is not configured."""
        return self._accounts[vendor].base_url

    @property
    def _accounts(self) -> dict[str, ZaptecAccount | JedlixAccount | GreenfluxAccount | SmappeeAccount]:
        accounts = {
            "zaptec": self.zaptec,
            "jedlix": self.jedlix,
            "greenflux": self.greenflux,
            "smappee": self.smappee,
        }
        return {vendor: account for vendor, account in accounts.items() if account is not None}


def load_settings(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the settings. The environment defaults to the process's; the file to the one that the environment names,
    else to `.env` beside pyproject.toml.

    Raises ConfigurationError naming the variable at fault.
    """
    environment = os.environ if environment is None else environment
    file = _env_file(environment) if file is None else file
    in_file = _in_file(file)
    if environment.get(DEMONSTRATION) == "1":
        in_file = {name: value for name, value in in_file.items() if not name.startswith(VENDOR_PREFIXES)}
    set_outside = {name: value for name, value in environment.items() if value.strip()}
    variables = Variables({**in_file, **set_outside})
    data_base = Path.cwd() if "CHARGEHOUSE_DATA" in set_outside else PROJECT_FOLDER
    return Settings(
        data=variables.folder("CHARGEHOUSE_DATA", "data", data_base),
        time_zone=variables.time_zone("CHARGEHOUSE_TIME_ZONE", "UTC"),
        first_month=variables.month("CHARGEHOUSE_FIRST_MONTH"),
        pseudonym_key=variables.secret("CHARGEHOUSE_PSEUDONYM_KEY"),
        keep_signed_readings=variables.flag("CHARGEHOUSE_KEEP_SIGNED_READINGS"),
        patience=Patience(
            connect_seconds=variables.seconds("CHARGEHOUSE_CONNECT_TIMEOUT_SECONDS", Patience.connect_seconds),
            read_seconds=variables.seconds("CHARGEHOUSE_READ_TIMEOUT_SECONDS", Patience.read_seconds),
            first_pause_seconds=variables.number(
                "CHARGEHOUSE_RETRY_PAUSE_SECONDS", Patience.first_pause_seconds, LONGEST_SECONDS
            ),
        ),
        zaptec=_zaptec(variables),
        jedlix=_jedlix(variables),
        greenflux=_greenflux(variables),
        smappee=_smappee(variables),
        webhook=_webhook(variables),
        mail=_mail(variables),
        ui_url=_ui_url(variables),
        postgres_url=_postgres_url(variables),
        refresh_times=_refresh_times(variables),
        are_schedules_on=variables.choice("CHARGEHOUSE_SCHEDULES", "off", ("on", "off")) == "on",
        is_demonstration=variables.flag(DEMONSTRATION),
    )


def unknown_names(environment: Mapping[str, str] | None = None, file: Path | None = None) -> list[str]:
    """The variables of the environment and the `.env` file that look like ours but are unknown: perhaps misspelt."""
    environment = os.environ if environment is None else environment
    example = PROJECT_FOLDER / ".env.example"
    if not example.exists():
        return []
    known = {*dotenv_values(example, interpolate=False, encoding="utf-8"), ENV_FILE_VARIABLE}
    given = {**_in_file(_env_file(environment) if file is None else file), **environment}
    return sorted(name for name in given if name.startswith(PREFIXES) and name not in known)


def _env_file(environment: Mapping[str, str]) -> Path:
    name = ENV_FILE_VARIABLE
    file = Path(environment.get(name, "").strip() or ENV_FILE)
    # Absolute, because processes that are started from here have another working folder.
    if file != ENV_FILE and (not file.is_absolute() or not file.exists() or file.is_dir()):
        raise ConfigurationError(f"{name} must be the absolute path of an existing file.")
    return file


def _in_file(file: Path) -> dict[str, str]:
    if file.is_dir() or (file.is_symlink() and not file.exists()):
        raise ConfigurationError(f"{file} must be a file, or not exist.")
    if not file.is_file():
        return {}
    try:
        # Nothing is interpolated: a password may hold a dollar sign. Some editors begin a file with a byte order mark.
        values = dotenv_values(file, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file.name} must be UTF-8 text.") from None
    return {name: value for name, value in values.items() if value}


def _zaptec(variables: Variables) -> ZaptecAccount | None:
    if not variables.are_set("zaptec", ("ZAPTEC_USERNAME", "ZAPTEC_PASSWORD")):
        return None
    return ZaptecAccount(
        username=variables.text("ZAPTEC_USERNAME"),
        password=variables.required_secret("ZAPTEC_PASSWORD"),
        base_url=variables.url("ZAPTEC_BASE_URL", "https://api.zaptec.com"),
        installation_ids=variables.identifiers("ZAPTEC_INSTALLATION_IDS"),
        charger_ids=variables.identifiers("ZAPTEC_CHARGER_IDS"),
        user_ids=variables.identifiers("ZAPTEC_USER_IDS"),
        requests_per_second=variables.rate("ZAPTEC_REQUESTS_PER_SECOND", 8),
    )


def _jedlix(variables: Variables) -> JedlixAccount | None:
    if not variables.are_set("jedlix", ("JEDLIX_CLIENT_ID", "JEDLIX_CLIENT_SECRET"), "JEDLIX_API_KEY"):
        return None
    base_url = variables.url("JEDLIX_BASE_URL", "https://smartcharging.jedlix.com")
    return JedlixAccount(
        client_id=variables.text("JEDLIX_CLIENT_ID"),
        client_secret=variables.required_secret("JEDLIX_CLIENT_SECRET"),
        api_key=variables.ascii_secret("JEDLIX_API_KEY"),
        base_url=base_url,
        token_url=variables.url("JEDLIX_TOKEN_URL", "https://jedlix-b2e.eu.auth0.com/oauth/token"),
        audience=variables.text("JEDLIX_AUDIENCE", base_url),
        requests_per_second=variables.rate("JEDLIX_REQUESTS_PER_SECOND", 5),
    )


def _greenflux(variables: Variables) -> GreenfluxAccount | None:
    token = variables.ascii_secret("GREENFLUX_TOKEN")
    if token is None:
        return None
    return GreenfluxAccount(
        token=token,
        base_url=variables.url("GREENFLUX_BASE_URL", "https://platform.greenflux.com"),
        locations_version=variables.api_version("GREENFLUX_LOCATIONS_VERSION", "2.0"),
        stations_version=variables.api_version("GREENFLUX_STATIONS_VERSION", "2.0"),
        cdrs_version=variables.api_version("GREENFLUX_CDRS_VERSION", "1.0"),
        requests_per_second=variables.rate("GREENFLUX_REQUESTS_PER_SECOND", 2),
    )


def _smappee(variables: Variables) -> SmappeeAccount | None:
    credentials = ("SMAPPEE_CLIENT_ID", "SMAPPEE_CLIENT_SECRET", "SMAPPEE_USERNAME", "SMAPPEE_PASSWORD")
    if not variables.are_set("smappee", credentials):
        return None
    park_ids = variables.identifiers("SMAPPEE_PARK_IDS")
    if not park_ids:
        raise ConfigurationError("smappee is only half configured: SMAPPEE_PARK_IDS is not set.")
    return SmappeeAccount(
        client_id=variables.text("SMAPPEE_CLIENT_ID"),
        client_secret=variables.required_secret("SMAPPEE_CLIENT_SECRET"),
        username=variables.text("SMAPPEE_USERNAME"),
        password=variables.required_secret("SMAPPEE_PASSWORD"),
        base_url=variables.url("SMAPPEE_BASE_URL", "https://app1pub.smappee.net/dev/v3"),
        park_ids=park_ids,
        requests_per_second=variables.rate("SMAPPEE_REQUESTS_PER_SECOND", 2),
    )


def _webhook(variables: Variables) -> Webhook | None:
    name = "CHARGEHOUSE_ALERT_WEBHOOK_URL"
    url = variables.text(name)
    # A query is allowed: some receivers identify the sender by it.
    fault = url_fault(url.partition("?")[0]) or ("must not contain a fragment." if "#" in url else None)
    if url and (fault or re.search(r"\s", url) or not url.isascii()):
        raise ConfigurationError(f"{name}: {fault or 'must be an https:// address.'}")
    return Webhook(SecretStr(url)) if url else None


def _mail(variables: Variables) -> Mail | None:
    security = variables.choice("CHARGEHOUSE_ALERT_SMTP_SECURITY", "starttls", MAIL_PORTS)
    port = variables.port("CHARGEHOUSE_ALERT_SMTP_PORT", MAIL_PORTS[security])
    required = ("CHARGEHOUSE_ALERT_SMTP_HOST", "CHARGEHOUSE_ALERT_SMTP_SENDER", "CHARGEHOUSE_ALERT_SMTP_RECIPIENTS")
    if not variables.are_set("alerting by mail", required, "CHARGEHOUSE_ALERT_SMTP_USERNAME"):
        return None
    host = variables.text("CHARGEHOUSE_ALERT_SMTP_HOST")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", host):
        raise ConfigurationError("CHARGEHOUSE_ALERT_SMTP_HOST must be the name of a mail server.")
    username = variables.ascii_text("CHARGEHOUSE_ALERT_SMTP_USERNAME")
    password = variables.ascii_secret("CHARGEHOUSE_ALERT_SMTP_PASSWORD")
    if bool(username) != (password is not None):
        raise ConfigurationError(
            "alerting by mail is half configured: set both CHARGEHOUSE_ALERT_SMTP_USERNAME and _PASSWORD, or neither."
        )
    if security == "none" and username and not is_this_machine(host):
        raise ConfigurationError(
            "CHARGEHOUSE_ALERT_SMTP_SECURITY: `none` would send the password unencrypted; use starttls or tls."
        )
    senders = variables.mail_addresses("CHARGEHOUSE_ALERT_SMTP_SENDER")
    recipients = variables.mail_addresses("CHARGEHOUSE_ALERT_SMTP_RECIPIENTS")
    if len(senders) != 1 or not recipients:
        raise ConfigurationError(
            "CHARGEHOUSE_ALERT_SMTP_SENDER must be one mail address, and CHARGEHOUSE_ALERT_SMTP_RECIPIENTS one or more."
        )
    return Mail(host, port, security, username, password, senders[0], recipients)


def _ui_url(variables: Variables) -> str | None:
    """Only shown to people, so plain http in a company's own network is accepted."""
    name = "CHARGEHOUSE_UI_URL"
    url = variables.text(name).rstrip("/")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if url and (not is_address or re.search(r"[\s@?#<>|]", url)):
        raise ConfigurationError(f"{name} must be an address such as https://chargehouse.example.com.")
    return url or None


def _postgres_url(variables: Variables) -> SecretStr | None:
    name = "CHARGEHOUSE_POSTGRES_URL"
    url = variables.secret(name)
    if url is None:
        return None
    # SQLAlchemy is slow to import, and few set the variable. It accepts passwords that other URL parsers do not.
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url.get_secret_value())
        is_address = address.drivername in ("postgresql", "postgresql+psycopg2")
        has_port = address.port is None or 1 <= address.port <= 65_535
    except (ArgumentError, ValueError):
        is_address = has_port = False
    if not is_address or not has_port:
        raise ConfigurationError(
            f"{name} must be an address such as postgresql+psycopg2://user:password@host:5432/database."
        )
    return url


def _refresh_times(variables: Variables) -> str:
    name = "CHARGEHOUSE_REFRESH_SCHEDULE"
    value = variables.text(name, "daily")
    if value in REFRESH_TIMES:
        return REFRESH_TIMES[value]
    # Dagster is slow to import, and most use one of the keywords.
    from dagster._utils.schedules import is_valid_cron_string

    if len(value.split()) != 5 or not is_valid_cron_string(value):
        raise ConfigurationError(f"{name} must be hourly, daily or a cron expression such as '15 */6 * * *'.")
    return value
