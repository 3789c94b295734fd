"""Marshmallow schemas of envelopes, by noun. Cells never go through marshmallow."""
