"""Who somebody is by what others publish: keys of clients and of issuers, fetched without being led astray."""
