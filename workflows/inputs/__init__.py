"""The account of a county's input files: what they hold, what is refused, what joins nothing."""
