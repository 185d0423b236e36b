"""What every network shares: the machine it runs on and the folder it lives in."""
