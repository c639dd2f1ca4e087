"""What fully or partly reviewed cases prove about a boundary, test by test."""
