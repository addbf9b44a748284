"""The relay: leads callers to agents that nobody can dial, and reads nothing of what they say."""
