"""Events in: Redis connections, registrations, a private Redis. Knows neither browsers nor frames."""
