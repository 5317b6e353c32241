"""The data of the staff's pages on one order, before any HTML: read from models, or pure."""
