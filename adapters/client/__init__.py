"""The client's side: calls an exchange over HTTP, for the command line, notebooks, the demo and the examples."""
