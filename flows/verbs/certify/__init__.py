"""What the evidence proves: certificates, looks, drift, expiry, and the guard on what is live."""
