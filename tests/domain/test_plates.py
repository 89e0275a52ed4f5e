"""A plate: any text gives one, in one form, of the kind that its shape says."""

import csv
import string
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.errors import InvalidError
from domain.personal import Personal, of_subject
from domain.plates import LONGEST, UNREAD, Plate, PlateKind, normalise, read_plate, require_readable

K = PlateKind
with (Path(__file__).parents[1] / "data" / "plates" / "labels.csv").open(encoding="utf-8") as file:
    LABELLED = [(row["label"], K(row["kind"])) for row in csv.DictReader(file)]

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
VALID = {
    "浙CA1234": K.CIVIL,
    "浙C12345": K.CIVIL,
    "浙C1AB23": K.CIVIL,
    "粤OA9112": K.CIVIL,
    "浙CD12345": K.NEW_ENERGY_SMALL,
    "浙CFA1234": K.NEW_ENERGY_SMALL,
    "浙CK12345": K.NEW_ENERGY_SMALL,
    "浙C12345D": K.NEW_ENERGY_LARGE,
    "浙C12345F": K.NEW_ENERGY_LARGE,
    "浙C1234挂": K.TRAILER,
    "浙C1234警": K.POLICE,
    "浙CA123学": K.LEARNER,
    "粤Z1234港": K.HONG_KONG,
    "粤ZAB12澳": K.MACAU,
    "123456使": K.EMBASSY,
    "使123456": K.EMBASSY,
    "沪12345领": K.CONSULATE,
    "沪A1234领": K.CONSULATE,
}
ODD = [
    "浙CABC12",  # three letters
    "浙I12345",  # no region I
    "浙C1234O",  # the letter O
    "浙C1234I",
    "浙CI12345",  # no new-energy letter I
    "浙CL12345",  # nor L
    "浙C12345L",
    "浙C123456",
    "浙C1234",
    "12345使",
    "浙Z1234港",  # only 粤Z
    "犬C12345",
    "C12345",
    "粤Z1234学港",
]
UNREADABLE = ["", " \t\u3000", "·", "\u200b\x00", "浙C12?45", "浙C12*45", "浙C1234_", "浙C□2345", "浙CЖ2345", "无牌", "no plate", "\ud800"]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), VALID.items())
def test_every_format_in_use_is_told_by_its_shape(text, kind):
    assert read_plate(text) == Plate(kind, text)


def test_every_plate_that_people_read_on_photographs_is_of_the_kind_they_saw():
    assert len(LABELLED) > 150
    assert [(text, read_plate(text).kind) for text, _ in LABELLED] == LABELLED


def test_every_kind_has_an_example():
    assert {*VALID.values(), K.ODD, K.UNREADABLE} == set(K)


@pytest.mark.parametrize("text", ODD)
def test_what_has_no_known_shape_is_kept_as_odd(text):
    assert read_plate(text) == Plate(K.ODD, text)


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_was_read_in_part_or_not_at_all_is_unreadable(text):
    assert read_plate(text).kind is K.UNREADABLE


@pytest.mark.parametrize(
    "written",
    ["浙C·12345", "浙c 12345", "浙Ｃ１２３４５", "浙C-12345", "浙C•12345", "浙C・12345", "浙C.12345", " 浙 C 1 2 3 4 5\n", "浙C—12345", "浙\ufeffC12345"],
)  # fmt: skip
def test_however_it_is_written_it_is_the_same_plate(written):
    assert read_plate(written) == Plate(K.CIVIL, "浙C12345")


def test_a_foreign_letter_is_not_left_out_so_that_one_car_never_becomes_another():
    assert read_plate("浙CЖ12345") == Plate(K.UNREADABLE, f"浙C{UNREAD}12345")


def test_what_is_longer_than_any_plate_is_cut_and_stays_odd():
    plate = read_plate("浙C12345" * 1000)
    assert (plate.kind, len(plate.text)) == (K.ODD, LONGEST)


def test_what_is_to_be_matched_has_to_be_readable_and_is_not_repeated_when_it_is_not():
    scope = of_subject(UUID(int=7))
    assert require_readable(Personal(scope, "浙c·12345")) == Personal(scope, "浙C12345")
    assert require_readable(Personal(scope, "WJ浙1234X")).text == "WJ浙1234X"
    for text in ("浙C?2345", "", None):
        with pytest.raises(InvalidError, match="no plate has") as refused:
            require_readable(Personal(scope, text))
        assert "2345" not in str(refused.value)


@for_all(st.text() | st.text("浙粤沪使领警学挂港澳ABIOZabz0129·- ?Ａ１", max_size=10))
def test_any_text_gives_a_plate_and_reading_it_again_gives_the_same(text):
    plate = read_plate(text)
    assert normalise(plate.text) == plate.text
    assert read_plate(plate.text) == plate
    assert len(plate.text) <= LONGEST
    plate.text.encode()


@for_all(
    st.sampled_from(PROVINCES),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.text(string.digits, min_size=5, max_size=5),
    st.sampled_from("ABCDEFGHJK"),
)
def test_a_new_energy_plate_is_large_or_small_by_where_its_letter_stands(province, region, number, letter):
    assert read_plate(f"{province}{region}{letter}{number}").kind is K.NEW_ENERGY_SMALL
    assert read_plate(f"{province}{region}{number}{letter}").kind is K.NEW_ENERGY_LARGE
    assert read_plate(f"{province}{region}{number}").kind is K.CIVIL


@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__])
def test_no_way_of_printing_shows_the_plate(show):
    assert "12345" not in show(read_plate("浙C12345"))


def test_it_is_kept_under_the_key_of_a_scope():
    scope = of_subject(UUID(int=7))
    assert read_plate("浙c12345").personal(scope) == Personal(scope, "浙C12345")
    assert read_plate(" ").personal(scope) is None
