"""The models that ship with mendpix, and where they lie."""
