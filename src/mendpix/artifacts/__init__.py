"""Maps of pixels that look filled."""
