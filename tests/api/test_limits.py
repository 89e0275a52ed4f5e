"""The time limits of a place are a file; what is wrong with it is said before anything starts."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from given import NOW

from api.bootstrap import system
from api.limits import read_limits
from api.settings import Settings
from domain.deadlines import Urgency
from domain.errors import InvalidError

(EXAMPLE,) = re.findall(
    r"```toml\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "deadlines.md").read_text(encoding="utf-8"),
    re.DOTALL,
)
WHERE = {"category": "noise", "township": "yuhai"}


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "limits.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_example_of_the_documentation_is_one(written):
    limits = read_limits(written(EXAMPLE))
    emergency = limits.deadline("handle", NOW, urgency=Urgency.EMERGENCY, of="water", **WHERE)
    assert (emergency.due_at, emergency.rule) == (NOW + timedelta(hours=24), "limits-ruian-2026-1")
    assert limits.deadline("handle", NOW, urgency=Urgency.NORMAL, **WHERE).due_at > emergency.due_at


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (EXAMPLE.replace("hours = 4", "minutes = 4"), "unknown field `minutes`"),
        (EXAMPLE.replace("days = 5", "days = 0"), "handle must take some days or hours"),
        (EXAMPLE.replace("WORKING", "SIDEREAL"), "SIDEREAL"),
        (EXAMPLE.replace('step = "verify"', 'step = "cook"'), "need one for 'verify' without a category"),
        (EXAMPLE + '[[limit]]\nstep = "cook"\nclock = "WALL"\nhours = 1\n', "steps that there are not: cook"),
        (EXAMPLE.replace("version =", "verzion ="), "verzion|version"),
        ("version = ", "limits.toml cannot be used"),
        (b"\xff\xfe", "limits.toml cannot be used"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(written, text, why):
    with pytest.raises(InvalidError, match=why):
        read_limits(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidError, match=r"nowhere\.toml cannot be used"):
        read_limits(tmp_path / "nowhere.toml")


async def test_the_system_runs_by_the_file_that_its_settings_name(written, settings: Settings):
    path = written(EXAMPLE)
    async with system(settings.model_copy(update={"limits": path}), with_bus=False) as running:
        assert running.limits.version == "ruian-2026-1"
