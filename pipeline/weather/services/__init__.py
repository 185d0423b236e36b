"""Files of weather services as they are delivered: one daily table in our own units."""
