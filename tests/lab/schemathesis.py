"""What schemathesis cannot read in the document."""

import itertools

import schemathesis

# Session descriptions are text.
for media in ("application/sdp", "application/trickle-ice-sdpfrag"):
    schemathesis.serializer.alias(media, "text/plain")

numbers = itertools.count()


@schemathesis.hook
def map_headers(context, headers):
    """A key is for one request. The same few would be made up again and again, and all but the first be refused."""
    for name in headers or {}:
        if name.lower() == "idempotency-key" and 1 <= len(headers[name]) <= 100:
            headers[name] = f"{headers[name]}{next(numbers)}"
    return headers


@schemathesis.hook
def before_call(context, case, **kwargs):
    """The account and the token that ask are the first of their kind. Changed or removed, they would be refused all the rest."""
    if case.path.startswith(("/users/", "/tokens/")):
        try:
            first = int(case.path_parameters["id"]) == 1
        except (KeyError, TypeError, ValueError):
            return
        if first:
            case.path_parameters["id"] = 2
