"""The network of one cluster: its members reach each other, wherever they are, and not the owner's own network."""
