"""From files of outlines to parcels that each have an outcome."""
