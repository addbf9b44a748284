"""The main job on one machine: a network, suppliers, a renter, a real Ray job, a slash, and every unit counted."""
