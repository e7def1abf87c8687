"""Lets MLflow's clients send artifacts to Cloud Storage in parts, past the tracking server."""
