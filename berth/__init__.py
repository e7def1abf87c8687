"""What people install to use a tracking server of Berth's: so far, the login of MLflow's client."""
