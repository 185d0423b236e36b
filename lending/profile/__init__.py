"""Income, debts and record of farmers and households."""
