"""Daily weather by cell, and the cell of every parcel."""
