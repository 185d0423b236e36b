"""Turns parcel outlines and satellite scenes into observations; knows no crop and no money."""
