"""The run itself: recipe, start values, batches, optimizer, checkpoint, release."""
