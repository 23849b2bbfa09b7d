"""The machine and the product as a whole: health, backup and restore, logs, the name on the network."""
