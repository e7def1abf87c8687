"""Google's clients, and how their calls travel."""
