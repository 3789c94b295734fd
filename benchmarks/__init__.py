"""Measured claims: each module prints a readable report, and with --json the same numbers for a machine."""
