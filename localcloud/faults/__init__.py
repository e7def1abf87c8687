"""What can be had to go wrong or to take its time: planned failures, limits, delays."""
