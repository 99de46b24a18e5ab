"""What is given: elements, structures, files of them, their valence basis and its integrals."""
