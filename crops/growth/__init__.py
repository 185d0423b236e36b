"""How it grows: curves, phenology, hazards and the history of seasons."""
