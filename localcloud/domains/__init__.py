"""Names and who vouches for them: what name servers say, and certificates, our own and others'."""
