"""The ledger: entries, their witness, statements for people, and whoever checks all of it."""
