"""The personal vault: names, phones and id numbers, sealed; who looked; who is forgotten."""
