"""Records and surfaces that are learned from, and the geometries they are made at."""
