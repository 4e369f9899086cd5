"""The settings of the standard, validated once and all together."""

import re
import sys
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

VERSION = "0.1.0"
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?")


def origins(text: str) -> str:
    wrong = [one for one in text.split(",") if one and one != "*" and not ORIGIN.fullmatch(one)]
    if wrong:
        raise ValueError(f"no origin: {wrong}")
    return text


# Plain digits: int() takes 1_0 and 8000.0, too.
Port = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,4}$")]


def as_port(text: str) -> str:
    if int(text) > 65535:
        raise ValueError("no port is above 65535")
    return text


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    ENVIRONMENT: Literal["dev", "stage", "preprod", "prod"] = "dev"
    SERVICE_NAME: str = "receipts"
    LOG_LEVEL: Literal["debug", "info", "warn", "error"] = "info"
    PORT: Annotated[Port, AfterValidator(as_port)] = "8000"
    METRICS_PORT: Annotated[Port, AfterValidator(as_port)] = "8080"
    CORS_ORIGINS: Annotated[str, AfterValidator(origins)] = ""
    OTEL_EXPORTER_OTLP_ENDPOINT: HttpUrl | None = None
    OTEL_TRACES_SAMPLER_ARG: Annotated[float, Field(ge=0, le=1)] = 1


def load() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors():
            print(f"{problem['loc'][0]}: {problem['msg']}", file=sys.stderr)
        sys.exit(1)


settings = load()
