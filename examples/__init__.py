"""Parley with other people's data: each folder is one worked example."""
