"""The ground everybody stands on: tables, outcomes, errors, money, reference tables, privacy."""
