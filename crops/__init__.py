"""Turns observations into agronomy: fields, crops, growth, hazards, yield and history."""
