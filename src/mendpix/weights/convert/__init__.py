"""Weights that other programs published, turned into our own networks."""
