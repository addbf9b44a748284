"""Ways to bring up one member of a Ray cluster."""
