"""The command line: click, one file a command group, no logic."""
