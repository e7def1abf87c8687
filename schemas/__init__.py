"""The contract: what is asked of Berth, what it answers and what it publishes."""
