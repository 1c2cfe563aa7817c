"""Training of what the package ships."""
