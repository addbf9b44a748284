"""The keeper: does what anyone may do, so that every promise of the network holds without a hand on the keyboard."""
