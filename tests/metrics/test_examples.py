"""The examples in the docstrings of the metrics give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import mendpix.metrics

MODULES = [entry.name for entry in pkgutil.iter_modules(mendpix.metrics.__path__)]
WITH_TORCH = {"feature_distance"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    if name in WITH_TORCH:
        pytest.importorskip("torch")
    assert doctest.testmod(importlib.import_module(f"mendpix.metrics.{name}")).failed == 0
