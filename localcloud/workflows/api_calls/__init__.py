"""Calls that leave a workflow: HTTP, connectors, and the waits for what they began."""
