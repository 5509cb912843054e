"""The verdict, from octets and keys alone: classify every frame, open what is protected, judge what was found.

Nothing here comes from the code that is judged: only headers and primitives of dataplane are used, no engine.
"""
