"""Indicators: small named measures of an applicant, each one function and one row of a table."""
