"""Who may do what: policies, conditions and roles."""

from localcloud.iam.methods import full_name, held, iam_methods
from localcloud.iam.policies import Iam

__all__ = ["Iam", "full_name", "held", "iam_methods"]
