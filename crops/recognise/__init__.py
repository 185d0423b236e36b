"""What grows where: planted area, labels, features and the crop classifier."""
