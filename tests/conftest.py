"""Fixtures for all tests. That this file exists lets every test import the modules beside it, such as `backbones`."""
