"""Access: accounts, sessions, programs' keys; who asks is decided here, what is seen in `app`."""
