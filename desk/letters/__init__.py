"""Letters: what a farmer is told of a decision or a line, on paper."""
