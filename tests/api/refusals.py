"""For Schemathesis, which takes any error of a resolver for one of the server: ours are refusals, and have a code."""

import schemathesis

REFUSALS = {"INVALID", "NOT_FOUND", "FORBIDDEN", "CONFLICT", "TOO_COSTLY"}
"""Of somebody with a good token, asking a system that is well."""


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether it counts."""
    if not case.path.endswith("/graphql"):
        return True
    errors = response.json().get("errors", [])
    return not errors or not {error["extensions"]["code"] for error in errors} <= REFUSALS
