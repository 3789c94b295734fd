"""What must hold for every input: generated cases against brute force or a plain model."""
