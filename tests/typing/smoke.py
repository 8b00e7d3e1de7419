"""What has to compile: placeholders until the typed examples are here."""
