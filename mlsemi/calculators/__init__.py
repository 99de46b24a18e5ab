"""What the ASE calculator asks."""
