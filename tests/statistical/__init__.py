"""What must hold in distribution: real noise against exact probabilities, with stated false alarms."""
