"""The node agent: runs on a supplier's machine and holds the device key."""
