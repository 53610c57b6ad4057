"""Pages and tables that show what trained models do. No torch."""
