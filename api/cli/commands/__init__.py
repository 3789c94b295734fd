"""The commands of `parley`, one module a noun; each module holds one object of its own name."""
