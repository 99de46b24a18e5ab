"""What people and other programs see: spectra, tables, figures, orbital and density files."""
