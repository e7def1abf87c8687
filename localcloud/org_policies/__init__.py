"""Organisation policies: what is set, and which calls that forbids."""
