"""How real files map onto the canonical model: one module a layout."""
