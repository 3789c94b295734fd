"""The outside: database, block and cell formats, clock, and the HTTP client of the command line."""
