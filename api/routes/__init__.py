"""HTTP routes, one module a noun. A view reads its envelope, calls one use case and shapes the answer."""
