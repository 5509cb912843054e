"""One document, several renderings. Nothing is decided here."""
