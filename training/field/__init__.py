"""The generated field: short documents of three trades and conversations about them."""
