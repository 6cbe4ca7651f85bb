"""Media between people: what is pure in `pure/`, and what drives it over sockets."""
