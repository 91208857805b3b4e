"""How an instant is told: ISO 8601 in UTC, to the second."""

ISO = "%Y-%m-%dT%H:%M:%SZ"
