"""The rule: access, price, limit and reasons of one case."""
