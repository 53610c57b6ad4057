"""Loss functions and the objective. Needs torch."""
