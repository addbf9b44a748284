"""One module a page, or a kind of page: what it asks the indexer, and the blocks that it makes of the answers."""
