"""Everything people look at; reads artifacts and the store, decides nothing."""
