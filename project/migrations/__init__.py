"""Migrations that concern all apps."""
