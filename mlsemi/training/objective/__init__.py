"""The loss of a model on everything it learns from, with its gradient."""
