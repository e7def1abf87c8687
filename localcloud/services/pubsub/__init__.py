"""Pub/Sub: one broker behind REST and gRPC; start reading in ``table``, then ``broker``."""

from localcloud.services.pubsub.table import SERVICE

__all__ = ["SERVICE"]
