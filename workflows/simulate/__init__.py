"""A coherent simulated county: land, weather, crops, scenes, people and their lies."""
