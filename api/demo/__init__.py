"""The demo: a synthetic world of members and the story that is told with it."""
