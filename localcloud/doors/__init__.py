"""What listens, and how a call arrives: the door and what is behind it, for HTTP and for gRPC."""
