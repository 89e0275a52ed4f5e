"""docs/api.md is true: its blocks are run in one shell, in order, on a demonstration, and print what stands below them."""

import asyncio
import json
import re
import shutil
import sys
from itertools import pairwise

import pytest
from commanding import ROOT, environment
from demonstrated import demonstration

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
DIVIDER = "--- the next block ---"
PATIENCE = 120.0

BLOCKS = [(kind, text) for kind, text in BLOCK.findall(PAGE) if kind in {"sh", "json", "text"}]
EXAMPLES = [(text, shown) for (kind, text), (_, shown) in pairwise(BLOCKS) if kind == "sh"]


def same(said, shown):
    """Whether what was said is what is shown: as JSON, or as text in which `…` is anything."""
    if shown.startswith('{"data"'):
        return json.loads(said) == json.loads(shown)
    return re.fullmatch(".*".join(map(re.escape, shown.split(ANYTHING))), said) is not None


def test_every_command_on_the_page_shows_what_comes_of_it():
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds[0] == "sh"
    assert all((kind == "sh") != (after == "sh") for kind, after in pairwise([*kinds, "sh"]))
    assert len(EXAMPLES) >= 10


def test_what_is_not_as_shown_is_found():
    assert same('{"data": {"a": 1}}', '{"data":{"a":1}}')
    assert not same('{"data": {"a": 2}}', '{"data": {"a": 1}}')
    assert same("cost: 17 of 20", "cost: … of 20")
    assert not same("cost: 17 of 21", "cost: … of 20")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the page needs curl and jq")
async def test_what_the_page_says_is_what_comes_back(tmp_path):
    command = f"anju() {{ '{sys.executable}' -c 'from api.cli import main; main()' \"$@\"; }}"
    script = [
        "set -euo pipefail",
        command,
        f"python3() {{ '{sys.executable}' \"$@\"; }}",
        *(f"{text}\necho; echo '{DIVIDER}'" for text, _ in EXAMPLES),
    ]
    (tmp_path / "page.sh").write_text("\n".join(script), encoding="utf-8")
    async with demonstration(tmp_path) as url:
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "page.sh",
            cwd=tmp_path,
            env=environment(data_dir=tmp_path) | {"ANJU": url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await shell.communicate()
    said = out.decode().split(DIVIDER)
    for answer, (text, shown) in zip(said, EXAMPLES, strict=False):
        assert same(answer.strip(), shown.strip()), (
            f"{text}\nsays\n{answer.strip()}\nand not\n{shown}\n{err.decode()}"
        )
    assert shell.returncode == 0, err.decode()
    assert len(said) == len(EXAMPLES) + 1


def test_the_page_links_to_files_that_are_there():
    linked = re.findall(r"\]\(([\w./-]+)\)", PAGE)
    assert {"schema.graphql", "openapi.json", "audit.md"} <= set(linked)
    assert [name for name in linked if not (ROOT / "docs" / name).exists()] == []
