"""The desk: a web application on loopback in which people look at results and decide reviews."""
