"""What can go wrong on the way to a tracking server."""


class BerthError(Exception):
    """There is no way in; the message says why, and what to do.

    MLflow shows it as the reason why its request failed.
    """
