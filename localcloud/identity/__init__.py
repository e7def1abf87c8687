"""Who is calling: keys and tokens, Google's token endpoint, the sign-in page and the metadata server."""
