"""Relations between applicants: shared contacts, guarantors in a circle, idle land."""
