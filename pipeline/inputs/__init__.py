"""Tables that a lender hands over: any usual file becomes typed columns and coded rows."""
