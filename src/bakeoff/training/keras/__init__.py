"""Keras on TensorFlow as a step of the one loop."""
