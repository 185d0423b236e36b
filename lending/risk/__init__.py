"""The default model, its readable challenger and what they are measured by."""
