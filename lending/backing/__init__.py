"""Backing: what stands behind a line besides land and harvest."""
