"""The public half of receipts: the keys that verify them, for whoever was given one."""

from marshmallow import fields

from api.auth.guards import public
from api.auth.routes import PUBLISHED_HEADERS, JwkSetSchema
from api.http import Blueprint
from api.wiring import wiring
from contracts.parties import JsonObject

RECEIPT_KEYS_PATH = "/.well-known/parley-receipt-keys.json"

blueprint = Blueprint("receipts", __name__, description="Proof of what the exchange said.")


class ReceiptKeysSchema(JwkSetSchema):
    """The public keys that sign receipts (RFC 7517), and the issuer that receipts by them name."""

    issuer = fields.String(required=True)


@blueprint.route(RECEIPT_KEYS_PATH, methods=["GET"])
@public("The keys are public; whoever verifies a receipt needs them, years later too.")
@blueprint.response(200, ReceiptKeysSchema)
def get_receipt_keys() -> tuple[JsonObject, dict[str, str]]:
    """The public keys that sign receipts, retired ones too."""
    parley = wiring()
    return {"issuer": parley.settings.issuer, **parley.receipt_keys.public_jwks()}, PUBLISHED_HEADERS
