"""Keys as other programs write them, made into objects of a key log. One format a file; nothing is opened here."""
