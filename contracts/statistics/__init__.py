"""Statistics: named estimands, computed from stored releases alone. One module a family."""
