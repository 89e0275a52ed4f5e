"""What may be given in an address or a form, as the description of the interface has it; `asked.py` and `form.py` read it."""

from typing import Any

from api.open311.asked import MOST, SPAN
from api.open311.form import MEDIA

Described = dict[str, Any]


def _query(name: str, description: str, **schema: object) -> Described:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string"} | schema,
    }


JURISDICTION = _query("jurisdiction_id", "Which jurisdiction is meant; needed if there are several.")
SPANNING = [
    _query("start_date", f"From when: with its time zone. At most {SPAN.days} days.", format="date-time"),
    _query("end_date", "Until when: with its time zone.", format="date-time"),
]
PAGING = [
    _query("page", "Which page, from 1.", type="integer", minimum=1),
    _query("page_size", "How many requests a page has.", type="integer", minimum=1, maximum=MOST),
]
CHOOSING = [
    _query("service_request_id", f"At most {MOST} ids, with commas; overrides everything else."),
    _query("service_code", "Codes of services, with commas; all if none is given."),
    _query("status", "`open`, `closed`, or both.", pattern="^(open|closed)(,(open|closed))*$"),
]


def _field(description: str) -> Described:
    return {"type": "string", "description": description}


FORM: Described = {
    "required": True,
    "description": "Also `attribute[CODE]`, or `attribute[CODE][]` for each of several: the answers to the questions of the service.",
    "content": {
        MEDIA: {
            "schema": {
                "type": "object",
                "required": ["api_key", "service_code"],
                "properties": {
                    "api_key": _field("Of the application that reports."),
                    "service_code": _field("What is reported."),
                    "jurisdiction_id": _field("As in the lists."),
                    "description": _field("In words; the service's name if there are none."),
                    "address_id": _field(
                        "The code of a site. One of these says where, or `lat` and `long` do."
                    ),
                    "address_string": _field("Words in which a site's name stands."),
                    "lat": _field("Degrees, WGS 84."),
                    "long": _field("Degrees, WGS 84."),
                    "media_url": _field("The address of a picture; it is kept, and never fetched."),
                    "first_name": _field("Of whoever reports: sealed, as the next three."),
                    "last_name": _field("Sealed."),
                    "phone": _field("Sealed."),
                    "email": _field("Sealed."),
                    "device_id": _field("Not kept."),
                    "account_id": _field("Not kept."),
                },
            }
        }
    },
}
