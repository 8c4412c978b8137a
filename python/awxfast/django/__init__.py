"""What Django projects use: `runserver` with awxfast behind it."""
