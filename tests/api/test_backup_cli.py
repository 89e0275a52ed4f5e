"""anju backup, anju restore and anju archive, as a person calls them."""

import json

from commanding import anju


async def test_a_backup_is_made_restored_and_found_whole(database_url, site, empty, tmp_path):
    made = await anju(tmp_path, "backup", "backups", "--json", database_url=database_url)
    assert made.code == 0, made.err
    saved = json.loads(made.out)
    assert saved["position"] == 6
    done = await anju(tmp_path, "restore", saved["folder"], "--json", database_url=empty)
    assert done.code == 0, done.err
    restored = json.loads(done.out)
    assert (restored["holds"], restored["events"], restored["hash"]) == (True, 6, saved["hash"])
    assert restored["backup"]["position"] == 6
    again = await anju(tmp_path, "restore", saved["folder"], database_url=empty)
    assert again.code == 1
    assert "not empty" in again.line


async def test_a_backup_says_in_plain_words_what_must_be_kept_apart(database_url, site, tmp_path):
    made = await anju(tmp_path, "backup", "backups", database_url=database_url)
    assert made.code == 0
    assert "Keep them apart from this backup" in made.err.replace("\n", " ")


async def test_a_damaged_backup_is_refused_in_one_line_with_the_file(database_url, site, empty, tmp_path):
    made = json.loads((await anju(tmp_path, "backup", "backups", "--json", database_url=database_url)).out)
    dump = tmp_path / made["folder"] / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    refused = await anju(tmp_path, "restore", made["folder"], database_url=empty)
    assert refused.code == 1
    assert refused.line.startswith("CORRUPT")
    assert "database.dump is not what was backed up" in refused.line


async def test_the_leaves_are_listed_with_why_they_stay(database_url, site, tmp_path):
    listed = await anju(tmp_path, "archive", "list", "--json", database_url=database_url)
    assert listed.code == 0, listed.err
    (leaf,) = json.loads(listed.out)["leaves"]
    assert (leaf["leaf"], leaf["lower"], leaf["upper"]) == ("events_observation_0", 0, 10_000_000)
    assert "the last checkpoint is at position 0" in leaf["why_not"]
    refused = await anju(
        tmp_path, "archive", "detach", "events_observation_0", "-o", ".", database_url=database_url
    )
    assert refused.code == 1
    assert refused.line.startswith("INVALID events_observation_0 cannot be archived yet")


async def test_a_file_that_is_no_archive_is_refused(database_url, tmp_path):
    (tmp_path / "x").write_text("x" * 100)
    refused = await anju(tmp_path, "archive", "attach", "x", database_url=database_url)
    assert refused.code == 1
    assert "x is not an archive of Anju" in refused.line
