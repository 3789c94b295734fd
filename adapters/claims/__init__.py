"""Claims as payers hold them, turned into one canonical model, on the payer's own premises."""
