"""The command line: one file per verb. A leaf of the import tree: nobody imports it."""
