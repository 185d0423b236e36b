"""Papers that farmers and offices hand in, and what each of them settles."""
