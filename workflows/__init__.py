"""The workflows: what is done and in what order, as YAML, and the bundler that joins it."""
