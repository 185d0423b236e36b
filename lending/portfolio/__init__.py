"""What became of the lines: their risk together, early warnings, drift, models over seasons."""
