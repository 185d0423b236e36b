"""Where fields begin and end: a network on many dates, polygons from it, and how good they are."""
