"""Which site a report belongs to: sites have no coordinates of their own, so the city's file says where they lie."""

from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt

import asyncpg

from api.open311.city import City, Place
from domain.errors import InvalidError
from domain.observation import require_code
from domain.people import Scope
from projections import public

EARTH = 6_371_008.8
"""Mean radius, in metres."""


async def find_site(
    connection: asyncpg.Connection,
    city: City,
    scope: Scope,
    *,
    address_id: str | None,
    position: tuple[float, float] | None,
    address: str | None,
) -> str:
    """The code of the site: by its code, else the nearest within reach, else the one whose name stands in the address. InvalidError."""
    if address_id is not None:
        return require_code(address_id, "address_id")
    if position is not None and (place := nearest(city.place, position, city.reach)):
        return place.site
    if address is not None:
        found = await public.sites_named_in(connection, scope, address)
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidError(
                f"address_string names several sites: send one of {', '.join(found)} as address_id"
            )
    if position is None and address is None:
        raise InvalidError("a location was not provided: send lat and long, address_string or address_id")
    raise InvalidError(
        f"no site was found there: send lat and long within {city.reach} m of one, an address_string with its name, or "
        "its code as address_id"
    )


def nearest(places: Iterable[Place], position: tuple[float, float], reach: float) -> Place | None:
    """The place that is nearest to `position` (latitude, longitude), if it is within `reach` metres."""
    found = min(((distance(position, (p.latitude, p.longitude)), p.site, p) for p in places), default=None)
    return found[2] if found and found[0] <= reach else None


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres along the sphere between two points in degrees (haversine); good to 0.5 per cent."""
    (north, east), (to_north, to_east) = (tuple(map(radians, point)) for point in (one, other))
    half = sin((to_north - north) / 2) ** 2
    half += cos(north) * cos(to_north) * sin((to_east - east) / 2) ** 2
    return 2 * EARTH * asin(min(1, sqrt(half)))
