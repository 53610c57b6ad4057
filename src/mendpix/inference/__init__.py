"""From a photo and a mask to a result: windows, padding, running, merging."""
