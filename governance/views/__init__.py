"""The pages people read. Each module is one page or one family of pages."""
