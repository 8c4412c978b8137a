"""Conveniences for Django projects: `runserver` with awxfast behind it."""
