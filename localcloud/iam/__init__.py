"""Who may do what: policies, conditions and roles."""

from localcloud.iam.methods import full_name, held, iam_methods
from localcloud.iam.policies import ORGANIZATION, Iam

__all__ = ["ORGANIZATION", "Iam", "full_name", "held", "iam_methods"]
