"""Measures of quality, functions only."""
