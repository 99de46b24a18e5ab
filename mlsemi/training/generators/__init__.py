"""Geometries and labels beside the reference: relaxations, hot dynamics, broken bonds."""
