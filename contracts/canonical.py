"""The canonical form of a contract document (RFC 8785): the bytes that are hashed and signed."""

import hashlib
import json

import rfc8785

from contracts.parties import JsonObject


def canonical_bytes(document: JsonObject) -> bytes:
    """RFC 8785 JSON. Documents hold strings, integers, booleans and nulls only; decimals are strings."""
    return rfc8785.dumps(document)


def canonical_size(document: JsonObject) -> int:
    """How many bytes that form has, at a tenth of the work: any JSON without spaces is as long, as nothing else in a
    document can be written in several ways."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def digest_of(document: JsonObject) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return sha256(canonical_bytes(document))


def sha256(form: bytes) -> str:
    """In hex."""
    return hashlib.sha256(form).hexdigest()
