"""The governance part of the API: public reads, and what the browser's session may write."""
