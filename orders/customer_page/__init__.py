"""A customer's page: what is billed now, orders, contacts, attachments, incidents and a timeline."""
