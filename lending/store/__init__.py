"""What stands: offers, audit chain and the database that holds them."""
