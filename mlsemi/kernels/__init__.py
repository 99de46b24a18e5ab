"""Compiled loops: arrays in, arrays out; no units, objects, validation or printing."""
