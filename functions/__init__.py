"""The HTTP functions: the door people knock at, and the helpers the workflow calls."""
