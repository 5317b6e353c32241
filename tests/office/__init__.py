"""Tests of exports, bulk runs and saved views."""
