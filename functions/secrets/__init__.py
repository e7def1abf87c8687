"""What the credentials function makes: values that nobody else sees, and where they go."""
