"""One module for each use case. They join the rooms: mirror, projection, crypto and archive."""
