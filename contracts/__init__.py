"""The domain: parties, feeds, terms, the ledger, statistics, and the two use cases, submit and ask."""
