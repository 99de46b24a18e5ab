"""Chains, layers and crystals: k-points, bands, occupations, transfer integrals."""
