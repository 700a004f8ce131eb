"""From raw files to a published release: stages, each made once and skipped while it holds."""
