"""What is wanted: whether it may be had, what changes on record, and the execution that follows."""
