"""Who gains what when IOSD is minted and redeemed by the program's rules; see docs/iosd-simulation.md."""
