"""Training: reference calculations, their projection, datasets, regression, indirect fit."""
