"""A report of the public becomes an incident, by the command that every report takes."""

from uuid import uuid4

from adapters.database import refusals
from api.bootstrap import System
from api.open311.answers import answers_to
from api.open311.city import City
from api.open311.form import Form
from api.open311.keys import integrator
from api.open311.places import find_site
from api.open311.writing import Data
from domain import commands
from domain.commands import Order
from domain.details import Details
from domain.errors import InvalidError
from domain.incident import Source
from domain.personal import Personal, of_subject
from domain.site import site_id
from projections.reading import reading

PATIENCE = 1.0
"""Seconds that an answer waits for the read model, so that who asks at once is told about it."""


async def report(system: System, city: City, form: Form) -> Data:
    """Report what `form` says; what is answered. `device_id` and `account_id` are not kept: nothing here needs them."""
    jurisdiction = city.jurisdiction_of(form.one("jurisdiction_id"))
    person = await integrator(system.settings.integrator_keys, form.one("api_key"), jurisdiction.township)
    code = form.one("service_code")
    if code is None:
        raise InvalidError("service_code was not provided; GET services lists them")
    service = city.service_of(code)
    answers = answers_to(service, form.attributes())
    position = _position(form)
    address = form.one("address_string")
    with refusals("the sites cannot be read"):
        async with reading(system.pool) as connection:
            site = await find_site(
                connection,
                city,
                person.scope,
                address_id=form.one("address_id"),
                position=position,
                address=address,
            )
    latitude, longitude = position or (None, None)
    done = await commands.report_incident(
        system.log,
        Order(person, system.now(), uuid4(), limits=system.limits),
        site_id=site_id(site),
        source=Source.OPEN311,
        category=service.code,
        description=form.one("description") or service.name,
        reporter=_reporter(form),
        details=Details(address, latitude, longitude, form.one("media_url"), answers),
    )
    await system.tail.wait("incidents", done.position - 1, PATIENCE)
    return [{"service_request_id": str(done.id), "service_notice": service.notice, "account_id": None}]


def _position(form: Form) -> tuple[float, float] | None:
    """Latitude and longitude; whether they can be is the incident's matter."""
    latitude, longitude = form.one("lat"), form.one("long")
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        raise InvalidError("lat and long belong together: send both, or neither")
    try:
        return float(latitude), float(longitude)
    except ValueError:
        raise InvalidError(
            f"lat {latitude!r:.40} and long {longitude!r:.40} are not numbers: send WGS 84 degrees, as 27.77 and 120.65"
        ) from None


def _reporter(form: Form) -> Personal | None:
    """Who reported it and how to reach them, under a key of their own: nobody is known again from an earlier report."""
    name = " ".join(filter(None, (form.one("first_name"), form.one("last_name"))))
    text = ", ".join(filter(None, (name, form.one("phone"), form.one("email"))))
    return Personal(of_subject(uuid4()), text) if text else None
