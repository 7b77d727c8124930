"""Networks from first principles: NumPy alone, every gradient written by hand and checked."""
