"""What users import in their tests: invariants over a journal, and strategies that make scenarios."""
