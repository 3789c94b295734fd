"""The mathematics of the guarantee. Knows numbers and noise; knows no contract, web or database."""
