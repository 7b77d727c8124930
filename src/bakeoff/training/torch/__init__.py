"""The torch half of training: steps, precision, optimisers, device transforms."""
