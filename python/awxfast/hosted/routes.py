"""What routers say when no route leads anywhere: an outsider's mistake, not a fault of the application."""

MISSING_ROUTE = "No route found for path"


def is_missing_route(error: BaseException) -> bool:
    """Whether it is Channels' `URLRouter` that found no route for the path."""
    return isinstance(error, ValueError) and str(error).startswith(MISSING_ROUTE)
