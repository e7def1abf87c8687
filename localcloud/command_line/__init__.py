"""What ``python -m localcloud`` does, the daemon that it starts and asks included."""
