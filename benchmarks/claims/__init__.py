"""What teaching texts claim of batch norm, each claim asked of the software itself: docs/claims.md."""
