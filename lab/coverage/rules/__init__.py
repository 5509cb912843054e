"""Rule packs: clauses of documents, each with a question that frames can answer. Data in packs/, questions in checks.

A pack certifies nothing. It says of each clause whether frames meet it, contradict it, or say nothing of it.
"""
