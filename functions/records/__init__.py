"""What is on record: the registry, the platform, the policy, and how a deployment is shown."""
