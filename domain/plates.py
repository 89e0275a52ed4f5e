"""Number plates 车牌: what a camera or a guard wrote down, brought into one form and told apart by its shape.

No text is refused: what has no known shape is flagged for a person, since a wrong reading must not look like no car at all. Letters
that are easily confused (0 and O, 1 and I) are never exchanged: that would turn one car into another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from string import ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING
from unicodedata import category, normalize

from domain.errors import InvalidError
from domain.personal import Personal

if TYPE_CHECKING:
    from domain.personal import KeyScope


class PlateKind(StrEnum):
    """The shape of a plate. ODD: all characters are there, in no shape we know. UNREADABLE: some or all of them are missing."""

    CIVIL = "CIVIL"  # 蓝牌/黄牌, seven characters
    NEW_ENERGY_SMALL = "NEW_ENERGY_SMALL"  # 小型新能源
    NEW_ENERGY_LARGE = "NEW_ENERGY_LARGE"  # 大型新能源
    TRAILER = "TRAILER"  # 挂车
    POLICE = "POLICE"  # 警车
    LEARNER = "LEARNER"  # 教练车
    HONG_KONG = "HONG_KONG"  # 港澳入出境车, of 港
    MACAU = "MACAU"  # 港澳入出境车, of 澳
    EMBASSY = "EMBASSY"  # 使馆
    CONSULATE = "CONSULATE"  # 领馆
    ODD = "ODD"
    UNREADABLE = "UNREADABLE"


UNREAD = "?"
"""Stands for every character that is none of a plate, so that what is left cannot pass for another plate."""
LONGEST = 16
"""Characters that are kept: twice the longest plate there is."""

_PROVINCE = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
_SIGN = r"[A-HJ-NP-Z\d]"
_SHAPES = {
    kind: re.compile(pattern, re.ASCII)
    for kind, pattern in {
        PlateKind.CIVIL: rf"{_PROVINCE}[A-HJ-Z](?!(?:\d*[A-Z]){{3}}){_SIGN}{{5}}",
        PlateKind.NEW_ENERGY_SMALL: rf"{_PROVINCE}[A-HJ-NP-Z][A-HJK]{_SIGN}\d{{4}}",
        PlateKind.NEW_ENERGY_LARGE: rf"{_PROVINCE}[A-HJ-NP-Z]\d{{5}}[A-HJK]",
        PlateKind.TRAILER: rf"{_PROVINCE}[A-HJ-Z]{_SIGN}{{4}}挂",
        PlateKind.POLICE: rf"{_PROVINCE}[A-HJ-Z]{_SIGN}{{4}}警",
        PlateKind.LEARNER: rf"{_PROVINCE}[A-HJ-Z]{_SIGN}{{4}}学",
        PlateKind.HONG_KONG: rf"粤Z{_SIGN}{{4}}港",
        PlateKind.MACAU: rf"粤Z{_SIGN}{{4}}澳",
        PlateKind.EMBASSY: r"\d{6}使|使\d{6}",
        PlateKind.CONSULATE: rf"{_PROVINCE}(?:\d{{5}}|[A-HJ-NP-Z]\d{{4}})领",
    }.items()
}
"""Their order is of no matter: no text has two of these shapes."""

_NOTHING = frozenset(
    {"无牌", "无牌车", "无车牌", "未识别", "未知", "NOPLATE", "UNKNOWN", "UNLICENSED", "NULL"}
)
"""What devices say when they read none."""
_SEPARATORS = frozenset("·•‧∙⋅●・。.,:;/|\\'\"`-‐‑‒–—―−()[]<>{}【】「」、")
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_ALPHABET = frozenset(ascii_uppercase + digits + UNREAD)


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in its one form. `text` is personal: it does not print itself, and is kept as `personal` makes it."""

    kind: PlateKind
    text: str = field(repr=False)

    def personal(self, scope: KeyScope) -> Personal | None:
        """The text under the key of `scope`; None if there was none."""
        return Personal(scope, self.text) if self.text else None


def read_plate(text: str) -> Plate:
    """The plate that `text` says, however it is written; any text gives one."""
    normal = normalise(text)
    return Plate(_kind(normal), normal)


def require_readable(value: Personal) -> Personal:
    """The plate that `value` says, in its one form; InvalidError if not all of it can be read: such a plate matches nothing."""
    plate = read_plate(value.text or "")
    if plate.kind is PlateKind.UNREADABLE:
        raise InvalidError("the plate has characters that no plate has: write it as it stands on the car")
    return Personal(value.scope, plate.text)


def normalise(text: str) -> str:
    """`text` in half-width capitals without spaces and separators, at most `LONGEST` characters; doing it twice changes nothing."""
    signs = (
        sign if sign in _ALPHABET or _is_chinese(sign) else UNREAD
        for sign in normalize("NFKC", text).translate(_UPPER)
        if sign not in _SEPARATORS and not _is_invisible(sign)
    )
    return "".join(signs)[:LONGEST]


def _kind(normal: str) -> PlateKind:
    if not normal or UNREAD in normal or normal in _NOTHING:
        return PlateKind.UNREADABLE
    return next((kind for kind, shape in _SHAPES.items() if shape.fullmatch(normal)), PlateKind.ODD)


def _is_chinese(sign: str) -> bool:
    return "\u4e00" <= sign <= "\u9fff"


def _is_invisible(sign: str) -> bool:
    return category(sign) in {"Zs", "Zl", "Zp", "Cc", "Cf"}
