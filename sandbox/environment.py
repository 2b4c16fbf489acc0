"""The environment variables that point Chargehouse at a sandbox."""

from collections.abc import Sequence

from sandbox.settings import Settings


def environment(url: str, settings: Settings, parks: Sequence[str]) -> dict[str, str]:
    """Credentials, addresses and unlimited request rates for the server at `url`."""
    zaptec, jedlix, greenflux, smappee = settings.zaptec, settings.jedlix, settings.greenflux, settings.smappee
    return {
        "ZAPTEC_USERNAME": zaptec.username,
        "ZAPTEC_PASSWORD": zaptec.password,
        "ZAPTEC_BASE_URL": f"{url}/zaptec",
        "ZAPTEC_REQUESTS_PER_SECOND": "0",
        "JEDLIX_CLIENT_ID": jedlix.client_id,
        "JEDLIX_CLIENT_SECRET": jedlix.client_secret,
        "JEDLIX_API_KEY": jedlix.api_key,
        "JEDLIX_BASE_URL": f"{url}/jedlix",
        "JEDLIX_TOKEN_URL": f"{url}/jedlix/oauth/token",
        "JEDLIX_REQUESTS_PER_SECOND": "0",
        "GREENFLUX_TOKEN": greenflux.token,
        "GREENFLUX_BASE_URL": f"{url}/greenflux",
        "GREENFLUX_REQUESTS_PER_SECOND": "0",
        "SMAPPEE_CLIENT_ID": smappee.client_id,
        "SMAPPEE_CLIENT_SECRET": smappee.client_secret,
        "SMAPPEE_USERNAME": smappee.username,
        "SMAPPEE_PASSWORD": smappee.password,
        "SMAPPEE_BASE_URL": f"{url}/smappee",
        "SMAPPEE_PARK_IDS": ",".join(parks),
        "SMAPPEE_REQUESTS_PER_SECOND": "0",
    }
