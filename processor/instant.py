"""How an instant is written: ISO 8601 in UTC, to the second."""

ISO = "%Y-%m-%dT%H:%M:%SZ"
