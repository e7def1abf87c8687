"""Who may do what in Cloud Storage, beyond IAM's permissions: lists, policies, keys, payers."""
