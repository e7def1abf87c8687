"""The proof that a deployment works, from outside and as its users would see it."""
