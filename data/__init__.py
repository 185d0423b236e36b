"""Reference tables (crops, codes, policy) as data, and the simulated county."""
