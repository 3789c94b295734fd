"""The door: Flask app, OAuth, schemas, problem documents, routes by noun, and the command line."""
