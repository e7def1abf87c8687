"""Everything that is deployed: the source of each function is this folder, its entry point a name here."""

from functions.api import api
from functions.credentials import credentials
from functions.plan import plan
from functions.verify import verify

__all__ = ["api", "credentials", "plan", "verify"]
