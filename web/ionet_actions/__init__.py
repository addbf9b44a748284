"""Builds what a wallet signs, says what it will move, sends what was signed. It holds no key."""
