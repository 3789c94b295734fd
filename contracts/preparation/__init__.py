"""What the names of a feed mean in claims: which persons, which measures, which strata, by which public rules.

A provider prepares its cells by these definitions on its own premises (`adapters.preparation`). Nothing here reads a
claim, and no cut point comes from data.
"""
