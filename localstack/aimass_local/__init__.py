"""The local cloud: AI Mass's own AWS stack in one process on one laptop, with nothing but Python."""
