"""The command line, the configuration and the Snakemake workflow; nothing imports this package."""
