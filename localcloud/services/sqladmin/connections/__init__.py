"""What Cloud SQL's connectors ask for and dial: addresses, certificates, TLS and logins."""
