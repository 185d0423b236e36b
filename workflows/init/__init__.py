"""From a file of outlines to a county's configuration, with every guess said."""
