"""Declared, seen and registry held against each other; claims on the same ground."""
