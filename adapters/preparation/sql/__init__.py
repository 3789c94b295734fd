"""One SELECT a measure, over the canonical model: the same text on every engine."""
