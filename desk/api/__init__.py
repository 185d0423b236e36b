"""The decision API: what branch systems ask, apart from the pages that people look at."""
