"""Answers of Open311 in its two formats, from the same data. Nothing is ever parsed here."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from fastapi.responses import Response

Data = Mapping[str, "Data"] | Sequence["Data"] | str | int | float | bool | None


class Format(StrEnum):
    """The ending of an address."""

    XML = "xml"
    JSON = "json"


MEDIA = {Format.XML: "text/xml; charset=utf-8", Format.JSON: "application/json; charset=utf-8"}
CHILD = {
    "attributes": "attribute",
    "endpoints": "endpoint",
    "errors": "error",
    "formats": "format",
    "service_request_updates": "request_update",
    "service_requests": "request",
    "services": "service",
    "values": "value",
}
"""What the parts of a list are called in XML; in JSON they have no name (the Spark convention)."""
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry, not even escaped."""


def written(data: Data, root: str, how: Format, status: int = 200) -> Response:
    """`data` as an answer; in XML it is the element `root`."""
    if how is Format.JSON:
        return Response(msgspec.json.encode(data), status, media_type=MEDIA[how])
    element = Element(root)
    _fill(element, data)
    return Response(tostring(element, encoding="utf-8", xml_declaration=True), status, media_type=MEDIA[how])


def _fill(element: Element, data: Data) -> None:
    match data:
        case None:
            pass
        case bool():
            element.text = str(data).lower()
        case str():
            element.text = _NO_XML.sub("", data)
        case int() | float():
            element.text = str(data)
        case Mapping():
            for name, value in data.items():
                _fill(SubElement(element, name), value)
        case _:
            for value in data:
                _fill(SubElement(element, CHILD[element.tag]), value)
