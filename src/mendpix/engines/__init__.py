"""Backends: each runs one prepared picture and hole, and returns its prediction."""
