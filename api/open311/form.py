"""A POST of Open311: a form, read with bounds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import Request

from domain.errors import InvalidError

LARGEST = 65_536
"""Bytes of a whole form: a description of 4,000 Chinese characters is 36,000 of them, escaped."""
MOST_FIELDS = 200
MEDIA = "application/x-www-form-urlencoded"
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]+)\](?:\[\])?")


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent, without what was left empty: that is the same as not sent."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str | None:
        """The value of a field that has one."""
        values = self.fields.get(name, ())
        if len(values) > 1:
            raise InvalidError(f"{name} was given {len(values)} times: it has one value")
        return values[0] if values else None

    def attributes(self) -> dict[str, list[str]]:
        """Answers by the codes of their questions: `attribute[code]=a` and, where there are several, `attribute[code][]=a`."""
        found: dict[str, list[str]] = {}
        for name, values in self.fields.items():
            if shape := _ATTRIBUTE.fullmatch(name):
                found.setdefault(shape[1], []).extend(values)
        return found


async def read_form(request: Request) -> Form:
    """The form in the body; InvalidError if it is no form, or a too large one."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != MEDIA:
        raise InvalidError(f"the body is {media or 'of no type'}: send it as {MEDIA}; charset=utf-8")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise InvalidError(f"the form is too large: at most {LARGEST} bytes are accepted")
    try:
        pairs = parse_qsl(body.decode("utf-8"), errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:  # half a character of UTF-8 is one too
        raise InvalidError(f"the form cannot be read: {error}") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if text := value.strip():
            fields.setdefault(name, []).append(text)
    return Form(fields)
