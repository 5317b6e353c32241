"""Questions that several readers ask of all orders at once. Reads only."""
