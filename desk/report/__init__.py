"""The county report: one self-contained HTML page per county and season."""
