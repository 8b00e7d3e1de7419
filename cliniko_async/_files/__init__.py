"""Files that are sent and received: their sources, the form, the store that keeps them."""
