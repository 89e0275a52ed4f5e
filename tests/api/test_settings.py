"""Settings: defaults, the environment, what a command line adds, and one clear message for a wrong one."""

import os
from pathlib import Path

import pytest

from adapters.embedded import Services
from api import settings as module
from api.settings import Settings, load_settings
from domain.errors import InvalidError


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """An environment without any ANJU_ variable, in an empty folder."""
    for name in os.environ:
        if name.upper().startswith("ANJU_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_need_be_set():
    found = load_settings()
    assert found == Settings(
        database_url=None, nats_url=None, data_dir=Path(".anju"), models_dir=None, host="127.0.0.1", port=8000, log_level="INFO",
    )  # fmt: skip
    assert found.models_dirs == (Path(".anju/models"),)


def test_every_setting_is_a_variable_with_the_prefix(monkeypatch):
    for name, value in {
        "ANJU_DATABASE_URL": "postgresql://anju@db/anju",
        "ANJU_NATS_URL": "nats://bus:4222",
        "ANJU_DATA_DIR": "data",
        "ANJU_MODELS_DIR": "models",
        "ANJU_HOST": "0.0.0.0",
        "ANJU_PORT": "9000",
        "ANJU_LOG_LEVEL": "DEBUG",
        "ANJU_SOMETHING_ELSE": "is nobody's business",
    }.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert (found.require_database_url, found.require_nats_url) == (
        "postgresql://anju@db/anju",
        "nats://bus:4222",
    )
    assert (found.host, found.port, found.log_level) == ("0.0.0.0", 9000, "DEBUG")
    assert found.models_dirs == (Path("models"), Path("data/models"))


def test_what_the_command_line_says_counts_more_and_what_it_does_not_say_counts_nothing(monkeypatch):
    monkeypatch.setenv("ANJU_PORT", "9000")
    assert load_settings(port=0, host=None).port == 0
    assert load_settings(port=None).port == 9000


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch):
    for name in ("DATABASE_URL", "NATS_URL", "MODELS_DIR", "PORT", "DATA_DIR"):
        monkeypatch.setenv(f"ANJU_{name}", "")
    assert load_settings() == Settings(
        database_url=None, nats_url=None, data_dir=Path(".anju"), models_dir=None, port=8000
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://db/anju"),
        ("DATABASE_URL", "sqlite:///anju.db"),
        ("NATS_URL", "bus:4222"),
        ("NATS_URL", "http://bus"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_and_what_would_do(monkeypatch, name, value):
    monkeypatch.setenv(f"ANJU_{name}", value)
    with pytest.raises(InvalidError, match=f"a setting is wrong: ANJU_{name}: .+") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_password_is_not_repeated(monkeypatch):
    monkeypatch.setenv("ANJU_DATABASE_URL", "mysql://anju:hunter2@db/anju")
    with pytest.raises(InvalidError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("ANJU_DATABASE_URL", "postgresql://anju:hunter2@db/anju")
    assert "hunter2" not in repr(load_settings())


def test_all_that_is_wrong_is_said_at_once(monkeypatch):
    monkeypatch.setenv("ANJU_PORT", "http")
    monkeypatch.setenv("ANJU_LOG_LEVEL", "LOUD")
    with pytest.raises(InvalidError, match=r"ANJU_PORT: .*; ANJU_LOG_LEVEL: "):
        load_settings()


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql://u@/d?host=/tmp/x"])
def test_both_names_of_the_scheme_are_understood(monkeypatch, url):
    monkeypatch.setenv("ANJU_DATABASE_URL", url)
    assert load_settings().require_database_url.startswith("postgresql://u@")


def test_what_is_missing_is_said_with_how_to_get_it():
    with pytest.raises(
        InvalidError, match=r"ANJU_DATABASE_URL=postgresql://user@host/database, or run `anju demo`"
    ):
        _ = load_settings().require_database_url
    with pytest.raises(InvalidError, match=r"ANJU_NATS_URL=nats://host:4222, or run `anju demo`"):
        _ = load_settings().require_nats_url


def test_beside_a_running_demonstration_nothing_need_be_set(monkeypatch):
    monkeypatch.setattr(
        module, "running_services", lambda directory: Services("postgresql://here/anju", "nats://here")
    )
    assert (load_settings().database_url, load_settings().nats_url) == (
        "postgresql://here/anju",
        "nats://here",
    )
    monkeypatch.setenv("ANJU_DATABASE_URL", "postgresql://there/anju")
    assert (load_settings().database_url, load_settings().nats_url) == ("postgresql://there/anju", None)
