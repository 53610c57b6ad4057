"""Architectures, one file each. Needs torch."""
