"""Where cells run: this process, or local workers."""
