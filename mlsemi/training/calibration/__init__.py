"""What is fitted to a trained model: committee, constants of the excited states, errors."""
