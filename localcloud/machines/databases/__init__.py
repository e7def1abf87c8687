"""The database servers behind Cloud SQL; ``contract`` says what Cloud SQL needs of them."""
