"""Keeps the code of renters apart from the agent, from other leases and from the rest of the machine."""
