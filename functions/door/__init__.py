"""How a call comes in and an answer goes out: routes, identity, problems, the log."""
