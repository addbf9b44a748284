"""`ionet node up`: from a machine to a node that serves, in one command that can be repeated after any interruption."""
