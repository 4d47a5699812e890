"""The algorithms: what may be asked for. The API validates requests by these classes, the container trains by them."""
