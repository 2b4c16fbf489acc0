"""What the Dagster web server and daemon load: the definitions over the environment's settings."""

from pipelines.definitions import build_definitions
from pipelines.settings import load_settings

defs = build_definitions(load_settings())
