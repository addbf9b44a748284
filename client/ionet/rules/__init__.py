"""The program's own arithmetic, as pure functions. Each is compared with the program by a test."""
