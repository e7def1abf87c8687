"""What runs containers; ``workload`` says what Cloud Run and App Engine need of it."""
