"""From scenes to observations: archive, masks, grid and exact pixel coverage."""
