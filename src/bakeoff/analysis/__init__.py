"""What is looked at while data and models are at hand; written as artifacts for the report."""
