"""The settings: defaults, precedence, and a one-line error for every value that makes no sense."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import polars as pl
import pytest

from pipelines import settings as settings_module
from pipelines.faults import ConfigurationError
from pipelines.settings import PROJECT_FOLDER, Settings, load_settings, unknown_names

ZAPTEC = {"ZAPTEC_USERNAME": "operator", "ZAPTEC_PASSWORD": "zaptec-secret"}
JEDLIX = {"JEDLIX_CLIENT_ID": "client", "JEDLIX_CLIENT_SECRET": "jedlix-secret"}
GREENFLUX = {"GREENFLUX_TOKEN": "greenflux-secret"}
SMAPPEE = {
    "SMAPPEE_CLIENT_ID": "client",
    "SMAPPEE_CLIENT_SECRET": "smappee-client-secret",
    "SMAPPEE_USERNAME": "park",
    "SMAPPEE_PASSWORD": "smappee-secret",
    "SMAPPEE_PARK_IDS": "1201, 1202,1201 ,",
}
ALL = {**ZAPTEC, **JEDLIX, **GREENFLUX, **SMAPPEE}


def load(environment: Mapping[str, str], file: Path | None = None) -> Settings:
    return load_settings(environment, file or Path("/nonexistent/.env"))


def mistake(environment: Mapping[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_set_is_a_valid_configuration_with_every_vendor_off() -> None:
    settings = load({})
    assert settings.vendors == ()
    assert settings.data == PROJECT_FOLDER / "data"
    assert settings.time_zone == "UTC"
    assert settings.first_month is None
    assert settings.pseudonym_key is None
    assert not settings.keep_signed_readings


def test_a_vendor_with_its_credentials_is_on_with_the_documented_defaults() -> None:
    settings = load(ALL)
    assert settings.vendors == ("zaptec", "jedlix", "greenflux", "smappee")
    zaptec, jedlix, greenflux, smappee = settings.zaptec, settings.jedlix, settings.greenflux, settings.smappee
    assert zaptec is not None
    assert jedlix is not None
    assert greenflux is not None
    assert smappee is not None
    assert zaptec.base_url == "https://api.zaptec.com"
    assert (zaptec.installation_ids, zaptec.charger_ids, zaptec.user_ids) == ((), (), ())
    assert jedlix.base_url == jedlix.audience == "https://smartcharging.jedlix.com"
    assert jedlix.token_url == "https://jedlix-b2e.eu.auth0.com/oauth/token"  # noqa: S105 -- an address
    assert jedlix.api_key is None
    assert greenflux.base_url == "https://platform.greenflux.com"
    assert (greenflux.locations_version, greenflux.stations_version, greenflux.cdrs_version) == ("2.0", "2.0", "1.0")
    assert smappee.base_url == "https://app1pub.smappee.net/dev/v3"
    assert smappee.park_ids == ("1201", "1202")
    rates = [account.requests_per_second for account in (zaptec, jedlix, greenflux, smappee)]
    assert rates == [8, 5, 2, 2]


@pytest.mark.parametrize("vendor", [ZAPTEC, JEDLIX, SMAPPEE])
def test_a_half_set_vendor_is_a_mistake_that_names_what_is_missing(vendor: dict[str, str]) -> None:
    credentials = [name for name in vendor if name != "SMAPPEE_PARK_IDS"]
    for missing in credentials:
        told = mistake({name: value for name, value in vendor.items() if name != missing})
        assert missing in told
        assert not [name for name in credentials if name != missing and name in told]
        assert mistake({**vendor, missing: "  "}) == told, "an empty value counts as not set"


def test_a_lonely_api_key_is_a_half_set_jedlix() -> None:
    assert "JEDLIX_CLIENT_ID, JEDLIX_CLIENT_SECRET" in mistake({"JEDLIX_API_KEY": "key"})


def test_the_api_key_may_be_empty() -> None:
    jedlix = load({**JEDLIX, "JEDLIX_API_KEY": ""}).jedlix
    assert jedlix is not None
    assert jedlix.api_key is None


@pytest.mark.parametrize("parks", ["", " ", ",", " , "])
def test_smappee_needs_its_parks(parks: str) -> None:
    assert "SMAPPEE_PARK_IDS" in mistake({**SMAPPEE, "SMAPPEE_PARK_IDS": parks})


def test_parks_or_addresses_alone_turn_no_vendor_on() -> None:
    assert load({"SMAPPEE_PARK_IDS": "1", "ZAPTEC_BASE_URL": "https://z.example"}).vendors == ()


def test_the_environment_wins_over_the_file_but_for_empty_values(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "ZAPTEC_USERNAME=in-file\nZAPTEC_PASSWORD=in-file\nCHARGEHOUSE_TIME_ZONE=Europe/Oslo\nGREENFLUX_TOKEN=\n"
    )
    settings = load({"ZAPTEC_USERNAME": "outside", "CHARGEHOUSE_TIME_ZONE": ""}, file)
    assert settings.zaptec is not None
    assert settings.zaptec.username == "outside"
    assert settings.zaptec.password.get_secret_value() == "in-file"
    assert settings.time_zone == "Europe/Oslo"
    assert settings.greenflux is None


def test_the_file_is_that_of_the_project_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "ENV_FILE", tmp_path / ".env")
    assert load_settings({}).vendors == (), "there need be none"
    (tmp_path / ".env").write_text("CHARGEHOUSE_TIME_ZONE=Europe/Oslo\n")
    another = tmp_path / "another"
    another.write_text("CHARGEHOUSE_TIME_ZONE=Europe/Paris\n")
    assert load_settings({}).time_zone == load_settings({"CHARGEHOUSE_ENV_FILE": " "}).time_zone == "Europe/Oslo"
    assert load_settings({"CHARGEHOUSE_ENV_FILE": str(another)}).time_zone == "Europe/Paris"
    assert load_settings({"CHARGEHOUSE_ENV_FILE": os.devnull}).time_zone == "UTC"


@pytest.mark.parametrize("named", ["nowhere/.env", "/nonexistent/.env", "/", "pyproject.toml"])
def test_a_file_that_cannot_be_meant_is_a_mistake(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_FOLDER)
    with pytest.raises(ConfigurationError, match="CHARGEHOUSE_ENV_FILE must be the absolute path"):
        load_settings({"CHARGEHOUSE_ENV_FILE": named})


def test_a_file_from_any_editor_is_read_and_a_dollar_in_a_password_is_a_dollar(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfZAPTEC_USERNAME=operator\r\nZAPTEC_PASSWORD='pa$$${HOME}#\xc3\xa9'\r\n")
    zaptec = load({}, file).zaptec
    assert zaptec is not None
    assert zaptec.password.get_secret_value() == "pa$$${HOME}#é"


def test_a_file_that_is_a_folder_or_leads_nowhere_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("folder", "link"):
        with pytest.raises(ConfigurationError, match=f"{name} must be a file, or not exist"):
            load({}, tmp_path / name)


def test_names_that_look_like_ours_and_are_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GREENFLUX_TOKE=planted\nGREENFLUX_TOKEN=planted\nOTHER_TOKE=1\n")
    given = {"CHARGEHOUSE_TIMEZONE": "UTC", "CHARGEHOUSE_TIME_ZONE": "UTC", "PATH": "/bin"}
    assert unknown_names(given, file) == ["CHARGEHOUSE_TIMEZONE", "GREENFLUX_TOKE"]


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"ZAPTEC_USERNAME=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load({}, file)


def test_data_is_below_the_project_in_the_file_and_below_the_working_folder_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".env"
    file.write_text("CHARGEHOUSE_DATA=somewhere\n")
    assert load({}, file).data == PROJECT_FOLDER / "somewhere"
    assert load({"CHARGEHOUSE_DATA": "elsewhere"}, file).data == tmp_path / "elsewhere"
    assert load({"CHARGEHOUSE_DATA": str(tmp_path / "a b")}, file).data == tmp_path / "a b"


def test_a_data_folder_may_lie_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load({"CHARGEHOUSE_DATA": "~/a b"}).data == tmp_path / "a b"
    assert "CHARGEHOUSE_DATA must be a folder" in mistake({"CHARGEHOUSE_DATA": "~nobody-of-this-name/data"})


@pytest.mark.parametrize("character", list("*?[=%"))
def test_a_data_folder_that_engines_cannot_read_is_a_mistake(character: str, tmp_path: Path) -> None:
    told = mistake({"CHARGEHOUSE_DATA": str(tmp_path / f"a{character}b")})
    assert told.startswith(f"CHARGEHOUSE_DATA: choose a folder without {character} in its path")


@pytest.mark.parametrize("below", ["", "data", "data/deeper"])
def test_a_data_folder_that_is_a_file_or_below_one_is_a_mistake(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = mistake({"CHARGEHOUSE_DATA": str(tmp_path / "file" / below)})
    assert told == f"CHARGEHOUSE_DATA must be a folder, but {tmp_path / 'file'} is a file."


def test_a_data_folder_that_leads_to_itself_or_to_an_object_store_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "CHARGEHOUSE_DATA" in mistake({"CHARGEHOUSE_DATA": str(tmp_path / "loop")})
    assert "object stores are not supported" in mistake({"CHARGEHOUSE_DATA": "s3://bucket/data"})


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "Europe", "CET+1!", "\x00"])
def test_an_unknown_time_zone_is_a_mistake(zone: str) -> None:
    assert "CHARGEHOUSE_TIME_ZONE" in mistake({"CHARGEHOUSE_TIME_ZONE": zone})


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/Europe/Oslo", "right/Europe/Oslo"])
def test_a_zone_that_only_the_machine_knows_is_a_mistake(zone: str) -> None:
    assert "CHARGEHOUSE_TIME_ZONE" in mistake({"CHARGEHOUSE_TIME_ZONE": zone})


def test_every_zone_that_the_settings_take_is_known_to_the_engine_that_cuts_the_months() -> None:
    instant = pl.Series([datetime(2026, 1, 1, tzinfo=UTC)])
    for zone in sorted(available_timezones()):
        with suppress(ConfigurationError):
            known = load({"CHARGEHOUSE_TIME_ZONE": zone}).time_zone
            assert instant.dt.convert_time_zone(known).len() == 1


@pytest.mark.parametrize(
    "month",
    [
        "2026",
        "2026-13",
        "2026-00",
        "2026-1",
        "26-01",
        "2026-01-01",
        "0000-01",
        "1000-10",
        "9999-12",
        "\uff12\uff10\uff12\uff16-01",
        "soon",
    ],
)
def test_a_first_month_that_is_no_month_is_a_mistake(month: str) -> None:
    assert "CHARGEHOUSE_FIRST_MONTH" in mistake({"CHARGEHOUSE_FIRST_MONTH": month})


@pytest.mark.parametrize(
    "url",
    [
        "https://vendor.example",
        "https://vendor.example/prefix/",
        "https://vendor.example:8443",
        "http://127.0.0.1:9000/zaptec",
        "http://127.8.9.10",
        "http://localhost:9000",
        "http://[::1]:9000/a/b",
    ],
)
def test_an_address_that_is_safe_is_kept_with_its_prefix(url: str) -> None:
    zaptec = load({**ZAPTEC, "ZAPTEC_BASE_URL": url}).zaptec
    assert zaptec is not None
    assert zaptec.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://vendor.example",
        "http://10.0.0.1",
        "http://127.0.0.1.vendor.example",
        "http://localhost.vendor.example",
        "http://0.0.0.0",
        "http://169.254.169.254/latest",
        "https://169.254.169.254/latest",
        "https://[::ffff:169.254.169.254]",
        "https://[fe80::1]",
        "file:///etc/passwd",
        "ftp://vendor.example",
        "vendor.example",
        "//vendor.example",
        "https://",
        "https://user:planted@vendor.example",
        "https://@vendor.example",
        "https://vendor.example?",
        "https://vendor.example/#part",
        "https://vendor.example/?key=planted",
        "https://[::1",
        "https://vendor.example:port",
        "https://vendor.example:99999",
        "https://vendor.example:0",
        "https://vendor.example\\@other.example",
        "https://vendor .example",
    ],
)
@pytest.mark.parametrize("name", ["ZAPTEC_BASE_URL", "JEDLIX_TOKEN_URL"])
def test_an_address_that_is_not_safe_is_a_mistake_that_does_not_quote_it(name: str, url: str) -> None:
    told = mistake({**ZAPTEC, **JEDLIX, name: url})
    assert name in told
    assert "planted" not in told


def test_an_audience_is_any_text_and_by_default_the_base_url() -> None:
    jedlix = load({**JEDLIX, "JEDLIX_BASE_URL": "https://tenant.example/"}).jedlix
    assert jedlix is not None
    assert jedlix.audience == "https://tenant.example"
    jedlix = load({**JEDLIX, "JEDLIX_AUDIENCE": "some audience"}).jedlix
    assert jedlix is not None
    assert jedlix.audience == "some audience"


def test_greenflux_endpoints_have_versions_or_are_off() -> None:
    greenflux = load({**GREENFLUX, "GREENFLUX_LOCATIONS_VERSION": "off", "GREENFLUX_STATIONS_VERSION": "1.0"}).greenflux
    assert greenflux is not None
    assert (greenflux.locations_version, greenflux.stations_version, greenflux.cdrs_version) == (None, "1.0", "1.0")


@pytest.mark.parametrize("version", ["on", "2.", "../1.0", "2.0/x", "v2"])
def test_a_version_that_is_none_is_a_mistake(version: str) -> None:
    assert "GREENFLUX_CDRS_VERSION" in mistake({**GREENFLUX, "GREENFLUX_CDRS_VERSION": version})


@pytest.mark.parametrize(("written", "rate"), [("0", 0.0), ("0.5", 0.5), ("12", 12.0), ("", 8.0)])
def test_a_rate_is_a_number_and_0_is_without_limit(written: str, rate: float) -> None:
    zaptec = load({**ZAPTEC, "ZAPTEC_REQUESTS_PER_SECOND": written}).zaptec
    assert zaptec is not None
    assert zaptec.requests_per_second == rate


@pytest.mark.parametrize("written", ["-1", "nan", "inf", "fast", "1,5", "1e-300", "1e10"])
@pytest.mark.parametrize("vendor", ["ZAPTEC", "JEDLIX", "GREENFLUX", "SMAPPEE"])
def test_a_rate_that_is_no_number_is_a_mistake(vendor: str, written: str) -> None:
    name = f"{vendor}_REQUESTS_PER_SECOND"
    assert name in mistake({**ALL, name: written})


@pytest.mark.parametrize("name", ["CHARGEHOUSE_CONNECT_TIMEOUT_SECONDS", "CHARGEHOUSE_READ_TIMEOUT_SECONDS"])
@pytest.mark.parametrize("written", ["0", "-1", "soon", "1e10"])
def test_a_timeout_that_is_none_is_a_mistake(name: str, written: str) -> None:
    assert name in mistake({name: written})


@pytest.mark.parametrize("written", ["yes", "true", "2"])
def test_a_flag_is_0_or_1(written: str) -> None:
    assert "CHARGEHOUSE_KEEP_SIGNED_READINGS" in mistake({"CHARGEHOUSE_KEEP_SIGNED_READINGS": written})
    assert load({"CHARGEHOUSE_KEEP_SIGNED_READINGS": "1"}).keep_signed_readings
    assert not load({"CHARGEHOUSE_KEEP_SIGNED_READINGS": "0"}).keep_signed_readings


@pytest.mark.parametrize("name", ["GREENFLUX_TOKEN", "JEDLIX_API_KEY"])
@pytest.mark.parametrize("written", ["planted\nX-Other: 1", "planted\x00", "plantedé"])
def test_a_secret_that_cannot_stand_in_a_header_is_a_mistake_that_does_not_quote_it(name: str, written: str) -> None:
    told = mistake({**JEDLIX, name: written})
    assert name in told
    assert "planted" not in told


def test_a_value_that_is_no_text_is_a_mistake() -> None:
    assert "ZAPTEC_PASSWORD" in mistake({**ZAPTEC, "ZAPTEC_PASSWORD": "planted\udcff"})


def test_no_secret_shows_in_the_settings() -> None:
    secrets = {**ALL, "JEDLIX_API_KEY": "jedlix-key-secret", "CHARGEHOUSE_PSEUDONYM_KEY": "pseudonym-secret"}
    settings = load(secrets)
    for shown in (repr(settings), str(settings), f"{settings.zaptec} {settings.jedlix}", str(settings.__dict__)):
        assert "secret" not in shown.replace("client_secret=", "").replace("SecretStr", "")


def test_the_example_file_names_every_variable_that_a_user_sets_and_no_other() -> None:
    source = Path(settings_module.__file__).read_text()
    read = set(re.findall(r'"((?:CHARGEHOUSE|ZAPTEC|JEDLIX|GREENFLUX|SMAPPEE)_[A-Z_]+)"', source))
    assert len(read) > 30
    example = (PROJECT_FOLDER / ".env.example").read_text()
    assert set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE)) == read - {settings_module.DEMONSTRATION}


MAIL = {
    "CHARGEHOUSE_ALERT_SMTP_HOST": "mail.example.com",
    "CHARGEHOUSE_ALERT_SMTP_SENDER": "chargehouse@example.com",
    "CHARGEHOUSE_ALERT_SMTP_RECIPIENTS": "one@example.com, two@example.com",
}
SIGN_IN = {"CHARGEHOUSE_ALERT_SMTP_USERNAME": "alerts", "CHARGEHOUSE_ALERT_SMTP_PASSWORD": "mail-secret"}


def test_alerts_go_nowhere_unless_asked() -> None:
    settings = load({})
    assert (settings.webhook, settings.mail, settings.ui_url) == (None, None, None)


def test_a_webhook_may_have_a_query_and_is_a_secret() -> None:
    settings = load({"CHARGEHOUSE_ALERT_WEBHOOK_URL": "https://hooks.example.com/services/T0/secret?sig=secret"})
    assert settings.webhook is not None
    assert settings.webhook.host == "hooks.example.com"
    assert "secret" not in repr(settings).replace("client_secret", "")


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/secret", "https://user:secret@hooks.example.com", "secret", "https://h.example/#secret"],
)
def test_a_webhook_that_cannot_be_meant_is_a_mistake_that_does_not_quote_it(url: str) -> None:
    told = mistake({"CHARGEHOUSE_ALERT_WEBHOOK_URL": url})
    assert "CHARGEHOUSE_ALERT_WEBHOOK_URL" in told
    assert "secret" not in told


@pytest.mark.parametrize(("security", "port"), [("", 587), ("starttls", 587), ("tls", 465), ("none", 25)])
def test_mail_is_on_with_server_sender_and_recipients_on_the_usual_port(security: str, port: int) -> None:
    mail = load({**MAIL, "CHARGEHOUSE_ALERT_SMTP_SECURITY": security}).mail
    assert mail is not None
    assert (mail.port, mail.security, mail.username, mail.password) == (port, security or "starttls", "", None)
    assert mail.recipients == ("one@example.com", "two@example.com")


@pytest.mark.parametrize("missing", list(MAIL))
def test_half_a_mail_server_is_a_mistake(missing: str) -> None:
    assert missing in mistake({name: value for name, value in MAIL.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHARGEHOUSE_ALERT_SMTP_SENDER", "nobody"),
        ("CHARGEHOUSE_ALERT_SMTP_SENDER", "one@example.com,two@example.com"),
        ("CHARGEHOUSE_ALERT_SMTP_RECIPIENTS", "Ola <ola@example.com>"),
        ("CHARGEHOUSE_ALERT_SMTP_RECIPIENTS", ","),
        ("CHARGEHOUSE_ALERT_SMTP_PORT", "0"),
        ("CHARGEHOUSE_ALERT_SMTP_PORT", "smtp"),
        ("CHARGEHOUSE_ALERT_SMTP_SECURITY", "ssl"),
        ("CHARGEHOUSE_ALERT_SMTP_HOST", "mail example"),
        ("CHARGEHOUSE_ALERT_SMTP_USERNAME", "alerts"),
        ("CHARGEHOUSE_ALERT_SMTP_PASSWORD", "mail-secret"),
    ],
)
def test_a_mail_setting_that_cannot_be_meant_is_a_mistake(name: str, value: str) -> None:
    assert name.rpartition("_")[2] in mistake({**MAIL, name: value})


@pytest.mark.parametrize("name", list(SIGN_IN))
@pytest.mark.parametrize("value", ["gr\xfcn", "bell\x07"])
def test_a_mail_sign_in_that_smtp_cannot_carry_is_a_mistake(name: str, value: str) -> None:
    told = mistake({**MAIL, **SIGN_IN, name: value})
    assert name in told
    assert value not in told


@pytest.mark.parametrize("port", ["0", "99999", "smtp"])
def test_a_mail_port_that_is_none_is_a_mistake_also_without_a_mail_server(port: str) -> None:
    assert "CHARGEHOUSE_ALERT_SMTP_PORT" in mistake({"CHARGEHOUSE_ALERT_SMTP_PORT": port})


def test_a_password_never_travels_in_the_clear() -> None:
    plain = {**MAIL, **SIGN_IN, "CHARGEHOUSE_ALERT_SMTP_SECURITY": "none"}
    assert "unencrypted" in mistake(plain)
    assert load({**plain, "CHARGEHOUSE_ALERT_SMTP_HOST": "127.0.0.1"}).mail is not None


@pytest.mark.parametrize(
    "url", ["chargehouse.lan", "ftp://chargehouse.lan", "http://h/?a", "http://h:99999", "http://<h>"]
)
def test_a_ui_address_that_cannot_be_meant_is_a_mistake(url: str) -> None:
    assert "CHARGEHOUSE_UI_URL" in mistake({"CHARGEHOUSE_UI_URL": url})


def test_postgresql_is_one_address_and_a_secret() -> None:
    settings = load({"CHARGEHOUSE_POSTGRES_URL": "postgresql://chargehouse:secret@127.0.0.1/chargehouse"})
    assert settings.postgres_url is not None
    assert "secret" not in repr(settings).replace("client_secret", "")
    told = mistake({"CHARGEHOUSE_POSTGRES_URL": "mysql://chargehouse:secret@127.0.0.1/chargehouse"})
    assert "secret" not in told


@pytest.mark.parametrize("port", ["port", "0", "99999", "-1"])
def test_a_port_of_postgresql_that_is_none_is_a_mistake(port: str) -> None:
    told = mistake({"CHARGEHOUSE_POSTGRES_URL": f"postgresql://chargehouse:secret@127.0.0.1:{port}/chargehouse"})
    assert "CHARGEHOUSE_POSTGRES_URL must be an address" in told
    assert "secret" not in told


def test_a_password_of_postgresql_may_hold_what_other_addresses_may_not() -> None:
    assert load(
        {"CHARGEHOUSE_POSTGRES_URL": "postgresql://chargehouse:a/b?c#d@127.0.0.1:5432/chargehouse"}
    ).postgres_url


@pytest.mark.parametrize(
    ("written", "times"),
    [
        ("", "15 3 * * *"),
        ("daily", "15 3 * * *"),
        ("hourly", "7 * * * *"),
        ("*/20 6-22 * * 1-5", "*/20 6-22 * * 1-5"),
    ],
)
def test_a_refresh_is_scheduled_by_a_word_or_a_cron_expression(written: str, times: str) -> None:
    assert load({"CHARGEHOUSE_REFRESH_SCHEDULE": written}).refresh_times == times


@pytest.mark.parametrize("written", ["weekly", "61 * * * *", "* * * *", "* * * * * *", "@daily", "0 3 * * * ; ls"])
def test_refresh_times_that_are_none_are_a_mistake(written: str) -> None:
    assert mistake({"CHARGEHOUSE_REFRESH_SCHEDULE": written}).startswith("CHARGEHOUSE_REFRESH_SCHEDULE must be hourly")


def test_the_schedules_have_one_switch_and_are_off_at_first() -> None:
    assert not load({}).are_schedules_on
    assert load({"CHARGEHOUSE_SCHEDULES": "on"}).are_schedules_on
    assert "CHARGEHOUSE_SCHEDULES must be one of on, off" in mistake({"CHARGEHOUSE_SCHEDULES": "yes"})
