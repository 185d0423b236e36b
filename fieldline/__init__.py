"""Fieldline: from a field outline to a credit line."""
