"""Lattices: cells, neighbour images, sums over all images; arrays in, arrays out."""
