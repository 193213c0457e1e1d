"""The controllers: what keeps the objects of the store as their specs want them, one module each."""
