"""The configuration document: sections of every room composed, validated and written out."""
