"""From text to syntax tree: YAML, steps, expressions, and where in the text each of them is."""
