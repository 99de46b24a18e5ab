"""Everything that is learned: one file for each term."""
