"""Chaos: a desk of real processes while everything breaks at random; at the end nothing may be lost or doubled."""
