"""Clients that others generate from openapi.yaml, run against a live exchange."""
