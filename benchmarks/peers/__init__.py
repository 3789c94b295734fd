"""Scripts that run in other interpreters, with other libraries, for comparison."""
