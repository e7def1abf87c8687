"""One module per Google API, each a table from method id to handler."""
