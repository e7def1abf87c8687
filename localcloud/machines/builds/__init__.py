"""What carries out Cloud Build's steps and Dockerfiles; ``contract`` says what Cloud Build needs of it."""
