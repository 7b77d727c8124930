"""Studies: questions, recipes that differ in what was declared, verdicts, plans, proofs."""
