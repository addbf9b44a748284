"""Does what is due for one wallet: keepers for everybody, agents and launchers for what is their own."""
