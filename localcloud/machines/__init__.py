"""What is real behind the APIs: database servers, image builds, containers; and paper versions."""
