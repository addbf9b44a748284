"""Turns active leases into running Ray clusters."""
