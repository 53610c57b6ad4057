"""Recipes, the training step and the loop. Needs torch."""
