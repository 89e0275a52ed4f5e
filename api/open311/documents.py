"""What Open311 says of things, field by field. Pure. Times are UTC, in whole seconds."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from api.open311.city import Attribute, City, Jurisdiction, Service
from api.open311.writing import MEDIA, Data
from domain.incident import IncidentState
from projections.public import PublicIncident

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
S = IncidentState
NOTES: Mapping[IncidentState, str] = {
    S.REPORTED: "已上报，等待受理 Reported; the centre has not taken it on yet",
    S.REJECTED: "不予受理 Not the centre's business",
    S.MERGED: "并案处理 Duplicate: the same matter goes on under another request",
    S.ACCEPTED: "已受理 Taken on",
    S.DISPATCHED: "已分流交办 Handed to a unit",
    S.RETURN_REQUESTED: "责任单位复核中 The unit says that it is another's",
    S.SIGNED: "责任单位已签收 The unit has signed for it",
    S.HANDLING: "处置中 Being handled",
    S.VERIFYING: "核查中 Handled; being verified",
    S.CLOSED: "已办结 Done and verified",
    S.EVALUATED: "已办结并评价 Done, verified and evaluated",
    S.REOPENED: "重新办理 Reopened",
    S.ARCHIVED: "已归档 Done and filed",
}
"""What the public is told of each state."""


def discovery(city: City, url: str) -> Data:
    """The service discovery."""
    return {
        "changeset": city.changeset,
        "contact": city.contact,
        "key_service": city.key_service,
        "endpoints": [
            {
                "specification": SPECIFICATION,
                "url": city.url or url,
                "changeset": city.changeset,
                "type": city.kind,
                "formats": [media.partition(";")[0] for media in MEDIA.values()],
            }
        ],
    }


def service(one: Service) -> Data:
    """An entry of the service list."""
    return {
        "service_code": one.code,
        "service_name": one.name,
        "description": one.description,
        "metadata": bool(one.attribute),
        "type": "realtime",
        "keywords": ", ".join(one.keywords),
        "group": one.group,
    }


def definition(one: Service) -> Data:
    """A service and its questions."""
    return {
        "service_code": one.code,
        "attributes": [_attribute(n, attribute) for n, attribute in enumerate(one.attribute, 1)],
    }


def _attribute(order: int, one: Attribute) -> Data:
    return {
        "variable": one.asked,
        "code": one.code,
        "datatype": one.datatype,
        "required": one.required,
        "datatype_description": one.hint,
        "order": order,
        "description": one.description,
        "values": [{"key": value.key, "name": value.name} for value in one.values],
    }


def request(row: PublicIncident, city: City, jurisdiction: Jurisdiction) -> Data:
    """A request, as anybody may see it. What did not come with a position has that of its site, if the city's file says where it lies."""
    of = city.service_of(row.category)
    place = next((one for one in city.place if one.site == row.site), None)
    latitude, longitude = row.latitude, row.longitude
    if latitude is None and place is not None:
        latitude, longitude = place.latitude, place.longitude
    return {
        "service_request_id": str(row.incident_id),
        "status": _status(row),
        "status_notes": NOTES[row.state],
        "service_name": of.name,
        "service_code": of.code,
        "description": row.description,
        "agency_responsible": row.lead_unit,
        "service_notice": of.notice,
        "requested_datetime": _time(row.reported_at),
        "updated_datetime": _time(_changed(row)),
        "expected_datetime": _time(row.expected_at),
        "address": row.site_name,
        "address_id": row.site,
        "zipcode": jurisdiction.zipcode,
        "lat": latitude,
        "long": longitude,
        "media_url": row.media_url,
    }


def updates(rows: Iterable[PublicIncident]) -> Data:
    """The latest update of each request. Its id changes with the state, so that who reads it again knows it."""
    return [
        {
            "update_id": f"{row.incident_id}.{row.round}.{row.state}",
            "service_request_id": str(row.incident_id),
            "status": _status(row),
            "updated_datetime": _time(row.last_at),
            "description": NOTES[row.state],
            "media_url": None,
        }
        for row in rows
    ]


def _status(row: PublicIncident) -> str:
    return "open" if row.open else "closed"


def _changed(row: PublicIncident) -> datetime:
    """When it last changed; of what is closed, when that was."""
    return row.last_at if row.open or row.closed_at is None else row.closed_at


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
