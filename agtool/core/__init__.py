"""What every technique shares. Imports no technique."""
