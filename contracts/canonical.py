"""The canonical form of a contract document (RFC 8785): the bytes that are hashed and signed."""

import hashlib

import rfc8785

from contracts.parties import JsonObject


def canonical_bytes(document: JsonObject) -> bytes:
    """RFC 8785 JSON. Documents hold strings, integers, booleans and nulls only; decimals are strings."""
    return rfc8785.dumps(document)


def digest_of(document: JsonObject) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()
