"""What the nuclei do: minima, scans, vibrations, conformers."""
