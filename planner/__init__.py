"""Request and what is known, in; the resources of each part, out. No I/O, no clock, no chance."""
