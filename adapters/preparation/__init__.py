"""From canonical claims to bounded cells, where the claims are: facts person by person, bounds, strata, cells."""
