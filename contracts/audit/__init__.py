"""The audit: what is recorded, in which chain, for whom to read, and whether it still holds."""
