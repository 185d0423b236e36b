"""Field photographs beside the satellite series: checked first, then one more witness."""
