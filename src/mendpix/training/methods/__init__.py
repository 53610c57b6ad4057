"""The published methods: what each learns in one step. One file per method; needs torch."""
