"""Pictures mended without a mask: what is damaged is found first."""
