"""What people and staff do here. Every function is one act, keyword-only, in one transaction."""
