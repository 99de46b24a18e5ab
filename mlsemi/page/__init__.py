"""Results in a browser: one self-contained file, or a live page on loopback."""
