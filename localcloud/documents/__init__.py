"""Google's discovery documents, compiled: which method a call is, and whether it and its answer are as they say."""
