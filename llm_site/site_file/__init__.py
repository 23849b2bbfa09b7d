"""A site as a file: read (document, shape), laid over what is there (state, check), written (apply, dump)."""
