"""Writing lyrics: what is asked for, and words that keep it."""
