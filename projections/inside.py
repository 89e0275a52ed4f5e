"""A read shows what lies inside the scope of whoever asks: every query that shows rows takes it as these parameters."""

from domain.people import Scope


def inside(scope: Scope) -> dict[str, object]:
    """The scope as the parameters of a query."""
    return {"scope_township": scope.township, "scope_site": scope.site_id}
