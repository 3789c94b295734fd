"""How cells arrive: one module a format. Each gives columns; the domain validates them."""
