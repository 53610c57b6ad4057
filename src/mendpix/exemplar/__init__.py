"""Fill holes by copying pieces from elsewhere in the picture. NumPy and OpenCV; knows no files, windows or networks."""

from mendpix.exemplar.fill import exemplar

__all__ = ["exemplar"]
