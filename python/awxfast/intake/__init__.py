"""Events in: the drain, groups, registrations, what dead processes left. Knows neither browsers nor frames."""
