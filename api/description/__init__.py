"""The API described: openapi.yaml made from routes and schemas, completed with headers, refusals and what each member
means, and the page that shows it."""
