"""What it is worth: yield priors and model, prices and value with an interval."""
