"""Pages that show the network."""
