"""One module for each screen. Screens meet through Changes and the router, never by importing each other."""
