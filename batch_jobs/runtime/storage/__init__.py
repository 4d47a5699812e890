"""The folders of a container, and what comes into them from the lake and goes back."""
