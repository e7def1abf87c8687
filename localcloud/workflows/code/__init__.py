"""From syntax tree to what runs: checks, scopes, closures and generators."""
