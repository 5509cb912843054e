"""Azure's words and rules, as data. Imports nothing of ours: whoever needs a rule asks here by name."""
