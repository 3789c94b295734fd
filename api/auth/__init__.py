"""OAuth: client assertions in, access tokens out, and a guard on every route."""
