"""Settings: the environment with the prefix ANJU_, else a demo that is running on the same data folder, else the defaults."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.embedded import running_services
from domain.errors import InvalidError


def _database_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not rest:
        raise PydanticCustomError("database_url", "write it as postgresql://user@host/database")
    return f"postgresql://{rest}"


def _nats_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in {"nats", "tls", "ws", "wss"} or not rest:
        raise PydanticCustomError("nats_url", "write it as nats://host:4222")
    return url


def is_safe(url: str) -> bool:
    """Whether nobody between us and `url` can change what comes from there: https, or this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "http":
        return parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return parts.scheme == "https" and bool(parts.hostname)


def _provider_url(url: str) -> str:
    if not is_safe(url):
        raise PydanticCustomError("provider_url", "write it as https://host/path")
    return url


def _listed(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        scheme, _, host = origin.partition("://")
        if scheme not in {"http", "https"} or not host or "/" in host or "*" in host:
            raise PydanticCustomError(
                "origins", "write each as a browser does: https://host or https://host:port"
            )
    return origins


ProviderUrl = Annotated[str, AfterValidator(_provider_url)]
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """One instance, made by the command line and handed on; nothing else reads the environment.

    The two addresses may carry a password: they are not shown.
    """

    model_config = SettingsConfigDict(env_prefix="ANJU_", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        None, description="PostgreSQL 15 or newer: postgresql://user@host/database", repr=False
    )
    nats_url: Annotated[str, AfterValidator(_nats_url)] | None = Field(
        None, description="NATS with JetStream: nats://host:4222", repr=False
    )
    data_dir: Path = Field(Path(".anju"), description="keys, models, and the data of the embedded servers")
    archive_dir: Path | None = Field(
        None, description="where archives of old observations are, for whoever reads them again"
    )
    master_keys: Path | None = Field(
        None, description="the file of the vault's master keys; in the data folder if not given"
    )
    limits: Path | None = Field(
        None, description="a file with the time limits of this place; see api/limits.py"
    )
    open311: Path | None = Field(
        None, description="a file with what the public may report here; see api/open311/city.toml"
    )
    open311_keys: Path | None = Field(
        None, description="the file with the keys of integrators; in the data folder if not given"
    )
    models_dir: Path | None = Field(None, description="where model files are looked for first")
    log_origin: str = Field(
        "anju.local/log", description="the log's name in its checkpoints: unique, never changed, no spaces"
    )
    graphql_cost: int = Field(25_000, ge=1, description="what one operation may cost; see docs/limits.md")
    graphql_seconds: float = Field(30.0, gt=0, description="how long one operation may take")
    introspection: bool = Field(True, description="may clients ask GraphQL for its schema?")
    graphiql: bool = Field(True, description="is there a page at /graphql to ask from?")
    trusted_documents: Path | None = Field(
        None,
        description="the only GraphQL documents that are run: a folder of .graphql files, or a JSON file",
    )
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    oidc_issuer: ProviderUrl | None = Field(
        None, description="the identity provider whose tokens are believed; none: those that we sign"
    )
    oidc_audience: str | None = Field(None, description="what the provider's tokens for Anju name as `aud`")
    oidc_jwks_url: ProviderUrl | None = Field(
        None, description="where the provider's keys are; if not given, the provider is asked"
    )
    oidc_id_claim: str = Field("sub", description="the claim with the staff number")
    oidc_roles_claim: str = "roles"
    oidc_units_claim: str = "units"
    oidc_township_claim: str = "township"
    oidc_site_claim: str = "site"
    own_tokens: bool = Field(False, description="believe tokens that we sign beside the provider's")

    rate: int = Field(100, ge=0, le=1_000_000, description="requests a second of one person; 0: any number")
    stranger_rate: int = Field(
        50, ge=0, le=1_000_000, description="requests a second of one address without a person"
    )
    origins: Annotated[Listed, AfterValidator(_origins)] = Field(
        (), description="pages from elsewhere that may ask, such as https://centre.example"
    )
    trusted_proxies: Listed = Field(
        (), description="addresses or networks whose X-Forwarded-For and -Proto are believed"
    )

    @property
    def keyring(self) -> Path:
        """The file of the vault's master keys: lose it, and nothing that is sealed can be read again."""
        return self.master_keys or self.data_dir / "master-keys"

    @property
    def integrator_keys(self) -> Path:
        """The file with the digests of the keys that integrators show."""
        return self.open311_keys or self.data_dir / "open311-keys.toml"

    @property
    def evidence_dir(self) -> Path:
        """Where evidence lies, under its digests; on several machines one folder that they share."""
        return self.data_dir / "evidence"

    @property
    def reports_dir(self) -> Path:
        """Where reports that are asked for over HTTP are written until they are fetched; empty when nothing runs."""
        return self.data_dir / "reports"

    @property
    def digest_key(self) -> Path:
        """The file of the key that plates, cards and codes are compared by; kept and shared as the master keys are."""
        return self.keyring.with_name("digest-key")

    @property
    def models_dirs(self) -> tuple[Path, ...]:
        """Where model files are looked for, in order; fetched ones go into the first."""
        own = self.data_dir / "models"
        return (self.models_dir, own) if self.models_dir else (own,)

    @property
    def require_database_url(self) -> str:
        """The database's address; InvalidError says how to get one."""
        if self.database_url is None:
            raise InvalidError(
                "no database: set ANJU_DATABASE_URL=postgresql://user@host/database, or run `anju demo` beside this"
            )
        return self.database_url

    @property
    def require_nats_url(self) -> str:
        """The bus's address; InvalidError says how to get one."""
        if self.nats_url is None:
            raise InvalidError("no bus: set ANJU_NATS_URL=nats://host:4222, or run `anju demo` beside this")
        return self.nats_url


def load_settings(**given: object) -> Settings:
    """Settings with `given` on top (None is not given); InvalidError names the variable that is wrong."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"ANJU_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise InvalidError(f"a setting is wrong: {wrong}") from error
    if settings.database_url is None and settings.nats_url is None:
        running = running_services(settings.data_dir)
        if running is not None:
            return settings.model_copy(
                update={"database_url": running.database_url, "nats_url": running.nats_url}
            )
    return settings
