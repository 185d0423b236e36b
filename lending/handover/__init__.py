"""Handing over: approved offers as loan applications of the bank's core system."""
